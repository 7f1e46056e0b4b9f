//! Applications that send again, because they were not told in time or were started again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::process::{Process, stand_here};
use super::{Confusion, Done, Incident, RESEND, Scene};
use crate::support::ack_proxy::Fate;
use crate::support::cluster::{Cluster, charge, flush, send};

const CHARGES: usize = 900;

/// How long the application waits before it sends again.
const PATIENCE: Duration = Duration::from_millis(300);

/// An application that sends a stretch again does what a consumer does that works again: no log
/// tells the one from the other.
const STRETCH: Done = Done {
    label: "application-resend, a stretch",
    right: None,
};

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    for (name, has_counter) in [("without a counter", false), ("with a counter", true)] {
        let topic = scene.cluster.create_topic("charges", 3, &[]);
        scene.losing(25, Fate::Close, || {
            send_until_told(scene, &topic, "ch", has_counter);
        });
        let name = format!("application sends again {name}");
        confusion.check(scene.site(), &Incident::new(name, &[&topic], RESEND));
    }
    let topic = scene.cluster.create_topic("charges", 3, &[]);
    restart_idempotent(scene, &topic, 12, 5);
    let incident = Incident::new("idempotent producer restarted", &[&topic], RESEND);
    confusion.check(scene.site(), &incident);

    let topic = scene.cluster.create_topic("charges", 3, &[]);
    restart_idempotent(scene, &topic, 4, 60);
    let incident = Incident::new("idempotent producer far behind", &[&topic], STRETCH);
    confusion.check(scene.site(), &incident);

    let topic = scene.cluster.create_topic("charges", 3, &[]);
    buy_again(scene, &topic);
    confusion.check_clean(
        scene.site(),
        &Incident::new("the same again", &[&topic], RESEND),
    );
}

/// What the client said of each record by its number.
#[derive(Clone, Default)]
struct Deliveries(Arc<Mutex<Vec<(usize, bool)>>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        self.0.lock().unwrap().push((number, result.is_ok()));
    }
}

/// One send in flight per charge; the client never retries, the application does.
struct Application {
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    topic: String,
    prefix: String,
    has_counter: bool,
}

impl Application {
    fn new(config: &mut ClientConfig, topic: &str, prefix: &str, has_counter: bool) -> Self {
        let deliveries = Deliveries::default();
        let producer = config
            .set("linger.ms", "0")
            .create_with_context(deliveries.clone())
            .unwrap();
        Self {
            producer,
            deliveries,
            topic: topic.to_owned(),
            prefix: prefix.to_owned(),
            has_counter,
        }
    }

    fn send(&self, number: usize, attempt: usize) {
        let charge_id = format!("{}_{number:05}", self.prefix);
        let mut value = charge(&charge_id);
        if self.has_counter {
            value = value.replacen('{', &format!(r#"{{"attempt":{attempt},"#), 1);
        }
        let record = BaseRecord::with_opaque_to(&self.topic, number)
            .partition(i32::try_from(number % 3).unwrap())
            .key(&charge_id)
            .payload(&value);
        self.producer.send(record).map_err(|(e, _)| e).unwrap();
        self.producer.poll(Duration::ZERO);
    }

    fn told(&self) -> Vec<(usize, bool)> {
        self.producer.poll(Duration::ZERO);
        std::mem::take(&mut *self.deliveries.0.lock().unwrap())
    }
}

/// Sends charges as they come in, and again those that were not acknowledged in time.
pub(super) fn send_until_told(scene: &Scene, topic: &str, prefix: &str, has_counter: bool) {
    let mut config = scene.lossy.config();
    config
        .set("message.send.max.retries", "0")
        .set("batch.num.messages", "1")
        .set("reconnect.backoff.ms", "5")
        .set("reconnect.backoff.max.ms", "10");
    let application = Application::new(&mut config, topic, prefix, has_counter);
    let mut due: VecDeque<(Instant, usize)> = VecDeque::new();
    let (mut next, mut untold) = (0, CHARGES);
    let mut attempts = vec![1; CHARGES];
    while untold > 0 {
        if next < CHARGES {
            application.send(next, 1);
            next += 1;
        }
        thread::sleep(Duration::from_millis(2));
        for (number, is_delivered) in application.told() {
            if is_delivered {
                untold -= 1;
            } else {
                due.push_back((Instant::now() + PATIENCE, number));
            }
        }
        while due.front().is_some_and(|(time, _)| *time <= Instant::now()) {
            let (_, number) = due.pop_front().unwrap();
            attempts[number] += 1;
            application.send(number, attempts[number]);
        }
    }
}

/// An application with a list of what is to be sent, which crosses off in bulk what was sent, and
/// whose process is killed again and again before it crosses off the last few.
fn restart_idempotent(scene: &Scene, topic: &str, lives: usize, left: usize) {
    let mut crossed_off = 0;
    for life in 0..lives {
        let end = CHARGES * (life + 1) / lives;
        let (from, to) = (crossed_off.to_string(), end.to_string());
        let part = ["send-list", &scene.cluster.bootstrap, topic, &from, &to];
        Process::start(&part).kill_there();
        crossed_off = end - left;
    }
}

/// The process: sends a part of the list, each charge once, and does not live to cross it off.
pub(super) fn do_send_list(arguments: &[&str]) {
    let [bootstrap, topic, from, to] = arguments else {
        panic!("{arguments:?}");
    };
    let mut config = Cluster::new(bootstrap).config();
    config.set("enable.idempotence", "true");
    let application = Application::new(&mut config, topic, "ch", false);
    for number in from.parse().unwrap()..to.parse().unwrap() {
        application.send(number, 1);
        thread::sleep(Duration::from_millis(1));
    }
    application.producer.flush(Duration::from_secs(20)).unwrap();
    stand_here();
}

/// The same customer pays the same for the same, under another charge id.
fn buy_again(scene: &Scene, topic: &str) {
    let producer = scene.cluster.producer(&[]);
    for number in 0..1000 {
        let charge_id = format!("ch_{number:05}");
        let value = format!(
            r#"{{"charge_id":"{charge_id}","customer_id":"cus_{}","amount":"9.99"}}"#,
            number % 5
        );
        send(&producer, topic, number % 3, &value);
    }
    flush(&producer);
}
