//! Every preset, grouped by what writes the records.

use crate::preset::Preset;

/// Every preset, in the order in which they are listed.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "stripe-event",
        finds: "a Stripe event that was delivered or stored twice",
        note: "Stripe may make two events of one thing: `stripe-object` finds these",
        by: &["id"],
        amount: Some("data.object.amount//data.object.amount_due//data.object.amount_total"),
        is_amount_minor: true,
        currency: Some("data.object.currency"),
        subject: Some("data.object.customer"),
        signs: &["object=event", "data.object.object", "type", "livemode"],
        ..Preset::NONE
    },
    Preset {
        name: "stripe-object",
        finds: "two Stripe events of one type about one object",
        note: "types that come again by design, such as customer.updated, are listed too",
        by: &["type", "data.object.id"],
        amount: Some("data.object.amount//data.object.amount_due//data.object.amount_total"),
        is_amount_minor: true,
        currency: Some("data.object.currency"),
        subject: Some("data.object.customer"),
        ..Preset::NONE
    },
    Preset {
        name: "stripe-request",
        finds: "one Stripe idempotency key that led to the same type of event twice",
        note: "events that no request of yours caused have no idempotency key: they are counted \
               as missing-key",
        by: &["request.idempotency_key", "type"],
        amount: Some("data.object.amount//data.object.amount_due//data.object.amount_total"),
        is_amount_minor: true,
        currency: Some("data.object.currency"),
        subject: Some("data.object.customer"),
        ..Preset::NONE
    },
    Preset {
        name: "charge-semantic",
        finds: "the same customer charged the same amount for the same reference in a day",
        note: "needs timestamps; a second charge may be meant: look before you refund",
        by: &[
            "customer_id//customerId//customer//account_id//account",
            "amount//total",
            "currency",
            "merchant_reference//reference//order_id//orderId//invoice_id//description",
        ],
        within: Some("24h"),
        amount: Some("amount//total"),
        currency: Some("currency"),
        subject: Some("customer_id//customerId//customer//account_id//account"),
        ..Preset::NONE
    },
    Preset {
        name: "cloudevents",
        finds: "a CloudEvent that came twice, in binary or structured mode",
        note: "producers must make source and id unique together",
        by: &[
            "headers.ce_source//headers.ce-source//source",
            "headers.ce_id//headers.ce-id//id",
        ],
        subject: Some("headers.ce_subject//headers.ce-subject//subject"),
        signs: &[
            "headers.ce_specversion//headers.ce-specversion//specversion",
            "headers.ce_id//headers.ce-id//id",
            "headers.ce_source//headers.ce-source//source",
            "headers.ce_type//headers.ce-type//type",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "debezium-pg",
        finds: "a change of a Postgres row that Debezium wrote twice",
        note: "what a snapshot read (op r) is left out: snapshots repeat by design",
        by: &[
            "source.name",
            "source.table",
            "source.lsn",
            "source.txId",
            "op",
            ROW,
        ],
        filter: Some("value.op != 'r'"),
        signs: &["source.connector=postgresql", "source.lsn", "op"],
        ..Preset::NONE
    },
    Preset {
        name: "debezium-mysql",
        finds: "a change of a MySQL row that Debezium wrote twice",
        note: "what a snapshot read (op r) is left out: snapshots repeat by design",
        by: &[
            "source.name",
            "source.table",
            "source.gtid//source.file",
            "source.pos",
            "source.row",
            "op",
            ROW,
        ],
        filter: Some("value.op != 'r'"),
        signs: &["source.connector=mysql", "source.pos", "op"],
        ..Preset::NONE
    },
    Preset {
        name: "debezium-outbox",
        finds: "a record that Debezium's outbox router published twice",
        note: "the router puts the id of the outbox row into the header `id`",
        by: &["headers.id"],
        signs: &["headers.id"],
        ..Preset::NONE
    },
    Preset {
        name: "outbox",
        finds: "a row of an outbox table that was published or captured twice",
        note: "of captured changes only those that insert count",
        by: &["headers.id//after.id//id|text"],
        filter: Some("!has(value.op) || value.op == 'c'"),
        subject: Some("after.aggregateid//after.aggregate_id//aggregateid//aggregate_id"),
        signs: &["after.aggregateid//after.aggregate_id//aggregateid//aggregate_id"],
        ..Preset::NONE
    },
    Preset {
        name: "outbox-table",
        finds: "the same thing written twice to an outbox table, each time with an id of its own",
        note: "`outbox` and `debezium-outbox` come to it where a table alone is read; what is \
               meant to be said again looks the same: --within bounds it",
        by: &[
            "aggregatetype//aggregate_type//aggregateType",
            "aggregateid//aggregate_id//aggregateId",
            "type//event_type//eventType",
            "payload//data//body",
        ],
        subject: Some("aggregateid//aggregate_id//aggregateId"),
        ..Preset::NONE
    },
    Preset {
        name: "message-db",
        finds: "two outputs of one type that follow one input: it was processed twice",
        note: "Message DB itself keeps id, and stream_name with position, from coming twice",
        by: &[
            "type",
            "metadata.causationMessageStreamName",
            "metadata.causationMessagePosition",
        ],
        signs: &[
            "global_position",
            "stream_name",
            "metadata.causationMessageStreamName",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "axon",
        finds: "an Axon message that was published twice",
        by: &["headers.axon-message-id"],
        subject: Some("headers.axon-message-aggregate-id"),
        signs: &["headers.axon-message-id"],
        ..Preset::NONE
    },
    Preset {
        name: "axon-aggregate",
        finds: "two Axon events with one sequence number of one aggregate",
        by: &[
            "headers.axon-message-aggregate-id",
            "headers.axon-message-aggregate-seq",
        ],
        subject: Some("headers.axon-message-aggregate-id"),
        ..Preset::NONE
    },
    Preset {
        name: "masstransit",
        finds: "a MassTransit message that was sent twice",
        note: "ConversationId and CorrelationId are shared by design",
        by: &["headers.MessageId//messageId"],
        signs: &[
            "headers.MessageId//messageId",
            "headers.ConversationId//conversationId",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "nservicebus",
        finds: "an NServiceBus message that is in an audit log twice",
        note: "a message that was retried and succeeded has the same id",
        by: &[
            "headers.NServiceBus.MessageId//value.headers.\"NServiceBus.MessageId\"\
             //Headers.\"NServiceBus.MessageId\"//\"NServiceBus.MessageId\"",
        ],
        signs: &[
            "headers.NServiceBus.MessageId//Headers.\"NServiceBus.MessageId\"\
             //\"NServiceBus.MessageId\"",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "cap",
        finds: "a message of CAP for .NET that was published twice",
        by: &["headers.cap-msg-id"],
        signs: &["headers.cap-msg-id"],
        ..Preset::NONE
    },
    Preset {
        name: "spring-dlt",
        finds: "a record that Spring dead-lettered twice for one consumer group",
        note: "partition and offset are binary: exports as text spoil them, topics and segments \
               do not",
        by: &[
            "headers.kafka_dlt-original-topic",
            "headers.kafka_dlt-original-partition",
            "headers.kafka_dlt-original-offset",
            "headers.kafka_dlt-original-consumer-group//topic",
        ],
        signs: &[
            "headers.kafka_dlt-original-topic",
            "headers.kafka_dlt-original-offset",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "spring-retry-topic",
        finds: "a record that is in a Spring retry topic twice at one attempt",
        note: "partition, offset and attempts are binary: exports as text spoil them",
        by: &[
            "headers.kafka_original-topic",
            "headers.kafka_original-partition",
            "headers.kafka_original-offset",
            "headers.retry_topic-attempts",
        ],
        signs: &[
            "headers.kafka_original-topic",
            "headers.retry_topic-attempts",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "connect-dlq",
        finds: "a record that Kafka Connect dead-lettered twice for one connector",
        by: &[
            "headers.__connect.errors.topic",
            "headers.__connect.errors.partition",
            "headers.__connect.errors.offset",
            "headers.__connect.errors.connector.name//topic",
        ],
        signs: &[
            "headers.__connect.errors.topic",
            "headers.__connect.errors.offset",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "smallrye-dlq",
        finds: "a record that SmallRye (Quarkus) dead-lettered twice",
        by: &[
            "headers.dead-letter-topic//headers.x-dead-letter-topic//headers.dlt-original-topic",
            "headers.dead-letter-partition//headers.x-dead-letter-partition\
             //headers.dlt-original-partition",
            "headers.dead-letter-offset//headers.x-dead-letter-offset\
             //headers.dlt-original-offset",
        ],
        signs: &[
            "headers.dead-letter-topic//headers.x-dead-letter-topic//headers.dlt-original-topic",
            "headers.dead-letter-offset//headers.x-dead-letter-offset\
             //headers.dlt-original-offset",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "sendgrid",
        finds: "an event that SendGrid's web hook delivered twice",
        note: "`sendgrid-mail` finds mails with two events of one kind",
        by: &["sg_event_id"],
        subject: Some("email"),
        signs: &["sg_event_id", "sg_message_id", "event"],
        ..Preset::NONE
    },
    Preset {
        name: "sendgrid-mail",
        finds: "two events of one kind about one mail of SendGrid to one address",
        note: "several opens and clicks of one mail are no fault, and are left out",
        by: &["sg_message_id", "event", "email|trim|lower"],
        filter: Some("value.event != 'open' && value.event != 'click'"),
        subject: Some("email"),
        ..Preset::NONE
    },
    Preset {
        name: "ses",
        finds: "a notification of Amazon SES about one mail that came twice",
        note: "several opens and clicks of one mail are no fault, and are left out",
        by: &[
            "mail.messageId",
            "eventType//notificationType",
            "delivery.recipients//bounce.bouncedRecipients//complaint.complainedRecipients\
             //mail.destination",
        ],
        filter: Some(
            "!has(value.eventType) || (value.eventType != 'Open' && value.eventType != 'Click')",
        ),
        subject: Some("mail.destination[0]"),
        signs: &["mail.messageId", "eventType//notificationType"],
        ..Preset::NONE
    },
    Preset {
        name: "email",
        finds: "a mail that was handed over twice under one Message-ID",
        note: "many senders make a new Message-ID for each attempt: `email-semantic` finds these",
        by: &[
            "headers.Message-ID//headers.message-id//\"Message-ID\"//\"Message-Id\"//message_id\
             //messageId|trim",
        ],
        subject: Some("to//recipient//email"),
        ..Preset::NONE
    },
    Preset {
        name: "email-semantic",
        finds: "the same mail about the same thing to the same address within a day",
        note: "needs timestamps; reminders may be meant",
        by: &[
            "to//recipient//email|trim|lower",
            "template//template_id//templateId//subject",
            "order_id//orderId//invoice_id//invoiceId//reference//subject//template",
        ],
        within: Some("24h"),
        subject: Some("to//recipient//email"),
        ..Preset::NONE
    },
    Preset {
        name: "webhook",
        finds: "a web hook that was delivered twice, by the id that its sender gave it",
        note: "in the headers of the record, or in `headers` of a logged request",
        by: &[
            "headers.webhook-id//headers.svix-id//headers.X-Event-ID//headers.x-event-id\
             //headers.X-Contentful-Idempotency-Key//headers.X-Convoy-Idempotency-Key\
             //headers.X-PandaDoc-Webhook-Event-Id//headers.X-GitHub-Delivery\
             //value.headers.webhook-id//value.headers.svix-id//value.headers.X-Event-ID\
             //value.headers.x-event-id//value.headers.X-Contentful-Idempotency-Key\
             //value.headers.X-Convoy-Idempotency-Key\
             //value.headers.X-PandaDoc-Webhook-Event-Id//value.headers.X-GitHub-Delivery",
        ],
        signs: &[
            "headers.webhook-id//headers.svix-id//value.headers.webhook-id//value.headers.svix-id",
        ],
        ..Preset::NONE
    },
    Preset {
        name: "kafka-coord",
        finds: "one Kafka record that an application's log shows as processed twice",
        note: "the fields as Spring, Knative and OpenTelemetry name them",
        by: &[
            "value.topic//kafka_receivedTopic//\"messaging.destination.name\"//source",
            "value.partition//kafka_receivedPartitionId//knativekafkapartition\
             //\"messaging.destination.partition.id\"//\"messaging.kafka.destination.partition\"",
            "value.offset//kafka_offset//knativekafkaoffset//\"messaging.kafka.offset\"\
             //\"messaging.kafka.message.offset\"",
        ],
        signs: &["kafka_offset//knativekafkaoffset//\"messaging.kafka.message.offset\""],
        ..Preset::NONE
    },
    Preset {
        name: "kafka-bytes",
        finds: "records whose key and value are the same bytes",
        note: "headers do not count: tracing changes them when a record is sent again",
        by: &["key", "value"],
        groups_missing: true,
        ..Preset::NONE
    },
    Preset {
        name: "generic-id",
        finds: "records with one id, under the first of the usual names that they have",
        by: &[
            "headers.Idempotency-Key//headers.idempotency-key//idempotency_key//idempotencyKey\
             //event_id//eventId//message_id//messageId//MessageId//payment_id//paymentId\
             //charge_id//chargeId//transaction_id//transactionId",
        ],
        ..Preset::NONE
    },
];

/// Which row changed: by the record's key where there is one, else by the row itself.
const ROW: &str = "key//after//before";
