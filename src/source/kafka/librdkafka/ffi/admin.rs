//! What brokers are asked beside records: metadata, offsets, topic ids.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_int};
use std::ptr;
use std::time::Duration;

use rdkafka::bindings as c;

use super::super::codes;
use super::{
    Event, NativeClient, NativeError, NativeTopic, elements, elements_of, millis, native_error,
    raw_code, text_at,
};
use crate::source::kafka::{NO_ACCESS, PartitionListing, TopicError, TopicListing};

/// What `ListOffsets` is asked for one partition: −2 the log start, −1 the end, else a time.
pub(in super::super) struct OffsetQuestion<'a> {
    pub(in super::super) topic: &'a NativeTopic,
    pub(in super::super) partition: i32,
    pub(in super::super) spec: i64,
}

impl NativeClient {
    /// Asks for the metadata of one topic or of all.
    pub(in super::super) fn metadata(
        &self,
        topic: Option<&NativeTopic>,
        wait: Duration,
    ) -> Result<Vec<TopicListing>, NativeError> {
        let handle = topic.map_or(ptr::null_mut(), |topic| topic.handle);
        let all = c_int::from(topic.is_none());
        let mut metadata = ptr::null();
        // SAFETY: all handles are valid, and `metadata` outlives the call.
        let error = unsafe {
            c::rd_kafka_metadata(self.handle, all, handle, &raw mut metadata, millis(wait))
        };
        if error != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(native_error(raw_code(&raw const error)));
        }
        // SAFETY: after a success `metadata` is valid until it is destroyed, once, here.
        unsafe {
            let topics = elements((*metadata).topics, (*metadata).topic_cnt);
            let listings = topics.iter().map(|topic| topic_listing(topic)).collect();
            c::rd_kafka_metadata_destroy(metadata);
            Ok(listings)
        }
    }

    /// Asks a partition's leader for the log start and, under the client's isolation level, the
    /// end. Unlike `ListOffsets` this does not make the library connect in a tight loop to a
    /// leader that is gone.
    pub(in super::super) fn watermarks(
        &self,
        topic: &NativeTopic,
        partition: i32,
        wait: Duration,
    ) -> Result<(i64, i64), NativeError> {
        let (mut low, mut high) = (-1, -1);
        let name = topic.name.as_ptr();
        // SAFETY: client and name are valid, and both results outlive the call.
        let error = unsafe {
            let (low, high) = (&raw mut low, &raw mut high);
            let client = self.handle;
            c::rd_kafka_query_watermark_offsets(client, name, partition, low, high, millis(wait))
        };
        match raw_code(&raw const error) {
            0 if low < 0 || high < 0 => Err(native_error(codes::LEADER_NOT_AVAILABLE)),
            0 => Ok((low, high)),
            code => Err(native_error(code)),
        }
    }

    /// Asks the leaders for offsets; each answer stands at the place of its question.
    pub(in super::super) fn list_offsets(
        &self,
        questions: &[OffsetQuestion<'_>],
        is_committed: bool,
        wait: Duration,
    ) -> Result<Vec<Result<i64, NativeError>>, NativeError> {
        use c::rd_kafka_IsolationLevel_t as Level;
        let level = if is_committed {
            Level::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
        } else {
            Level::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
        };
        let call = AdminCall::new(
            self.handle,
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
            wait,
        );
        // SAFETY: the list is filled with valid names, read only during the call, and destroyed
        // once; a list element stays where it is until the next one is added.
        unsafe {
            let error = c::rd_kafka_AdminOptions_set_isolation_level(call.options, level);
            if !error.is_null() {
                c::rd_kafka_error_destroy(error);
            }
            let list = c::rd_kafka_topic_partition_list_new(
                c_int::try_from(questions.len()).unwrap_or(c_int::MAX),
            );
            for question in questions {
                let name = question.topic.name.as_ptr();
                let element = c::rd_kafka_topic_partition_list_add(list, name, question.partition);
                (*element).offset = question.spec;
            }
            c::rd_kafka_ListOffsets(self.handle, list, call.options, call.queue);
            c::rd_kafka_topic_partition_list_destroy(list);
        }
        let event = call.answer(wait)?;
        Ok(offset_answers(&event, questions))
    }

    /// Returns the id of a topic, where cluster and library know it.
    pub(in super::super) fn topic_id(
        &self,
        topic: &NativeTopic,
        broker: i32,
        wait: Duration,
    ) -> Option<[u8; 16]> {
        let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let call = AdminCall::new(self.handle, kind, wait);
        call.ask_broker(broker);
        let mut names = [topic.name.as_ptr()];
        // SAFETY: the collection copies the names and is destroyed once.
        unsafe {
            let topics = c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            c::rd_kafka_DescribeTopics(self.handle, topics, call.options, call.queue);
            c::rd_kafka_TopicCollection_destroy(topics);
        }
        let event = call.answer(wait).ok()?;
        // SAFETY: the result and what it points to live as long as the event.
        unsafe {
            let result = c::rd_kafka_event_DescribeTopics_result(event.0);
            if result.is_null() {
                return None;
            }
            let mut count = 0;
            let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            let description = *elements_of(topics, count).first()?;
            let id = c::rd_kafka_TopicDescription_topic_id(description);
            if id.is_null() {
                return None;
            }
            let high = c::rd_kafka_Uuid_most_significant_bits(id).to_be_bytes();
            let low = c::rd_kafka_Uuid_least_significant_bits(id).to_be_bytes();
            let mut bytes = [0; 16];
            let halves = high.into_iter().chain(low);
            bytes
                .iter_mut()
                .zip(halves)
                .for_each(|(to, from)| *to = from);
            (bytes != [0; 16]).then_some(bytes)
        }
    }
}

/// Options and answer queue of one request to brokers.
struct AdminCall {
    options: *mut c::rd_kafka_AdminOptions_t,
    queue: *mut c::rd_kafka_queue_t,
}

impl AdminCall {
    fn new(client: *mut c::rd_kafka_t, kind: c::rd_kafka_admin_op_t, wait: Duration) -> Self {
        let mut text = [0; 256];
        // SAFETY: the client is valid; options and queue are destroyed once, on drop.
        unsafe {
            let options = c::rd_kafka_AdminOptions_new(client, kind);
            let (buffer, length) = (text.as_mut_ptr(), text.len());
            c::rd_kafka_AdminOptions_set_request_timeout(options, millis(wait), buffer, length);
            let queue = c::rd_kafka_queue_new(client);
            Self { options, queue }
        }
    }

    /// Has one broker asked instead of the controller.
    fn ask_broker(&self, broker: i32) {
        let mut text = [0; 256];
        let (buffer, length) = (text.as_mut_ptr(), text.len());
        // SAFETY: the options are valid, and the buffer is as long as told.
        unsafe { c::rd_kafka_AdminOptions_set_broker(self.options, broker, buffer, length) };
    }

    fn answer(&self, wait: Duration) -> Result<Event, NativeError> {
        // SAFETY: the queue is valid; the event is owned and destroyed by its wrapper.
        let event = Event(unsafe { c::rd_kafka_queue_poll(self.queue, millis(wait)) });
        if event.0.is_null() {
            return Err(native_error(codes::LEADER_NOT_AVAILABLE));
        }
        let error = event.error();
        if error.code == 0 {
            Ok(event)
        } else {
            Err(error)
        }
    }
}

impl Drop for AdminCall {
    fn drop(&mut self) {
        // SAFETY: both are owned; an answer that comes later is dropped by the library.
        unsafe {
            c::rd_kafka_AdminOptions_destroy(self.options);
            c::rd_kafka_queue_destroy(self.queue);
        }
    }
}

fn offset_answers(
    event: &Event,
    questions: &[OffsetQuestion<'_>],
) -> Vec<Result<i64, NativeError>> {
    let mut answers: Vec<_> = questions
        .iter()
        .map(|_| Err(native_error(codes::LEADER_NOT_AVAILABLE)))
        .collect();
    // SAFETY: the result and what it points to live as long as the event.
    let infos = unsafe {
        let result = c::rd_kafka_event_ListOffsets_result(event.0);
        if result.is_null() {
            return answers;
        }
        let mut count = 0;
        let infos = c::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        elements_of(infos, count)
    };
    // The library answers in its own order.
    let place = |question: &OffsetQuestion<'_>| (question.topic.name.clone(), question.partition);
    let places: BTreeMap<_, _> = questions.iter().map(place).zip(0..).collect();
    for &info in infos {
        // SAFETY: as above.
        let (name, element) = unsafe {
            let element = c::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
            (CStr::from_ptr((*element).topic).to_owned(), element)
        };
        // SAFETY: as above; the error is read as an integer.
        let (partition, offset, code) = unsafe {
            let code = raw_code(&raw const (*element).err);
            ((*element).partition, (*element).offset, code)
        };
        let index = places.get(&(name, partition)).copied();
        if let Some(answer) = index.and_then(|index: usize| answers.get_mut(index)) {
            *answer = offset_answer(code, offset);
        }
    }
    answers
}

/// Returns an offset that is one, or −1 for none. Where the library could not ask, it tells of no
/// error but of an offset below.
fn offset_answer(code: i32, offset: i64) -> Result<i64, NativeError> {
    match code {
        0 if offset >= -1 => Ok(offset),
        0 => Err(native_error(codes::LEADER_NOT_AVAILABLE)),
        _ => Err(native_error(code)),
    }
}

/// # Safety
/// The topic must be part of metadata that the library returned and that is not destroyed yet.
unsafe fn topic_listing(topic: &c::rd_kafka_metadata_topic) -> TopicListing {
    let error = match raw_code(&raw const topic.err) {
        0 | codes::LEADER_NOT_AVAILABLE => None,
        codes::UNKNOWN_TOPIC_OR_PART | codes::UNKNOWN_TOPIC => Some(TopicError::Unknown),
        codes::TOPIC_AUTHORIZATION_FAILED => Some(TopicError::Refused(NO_ACCESS.to_owned())),
        code => Some(TopicError::Refused(native_error(code).text)),
    };
    // SAFETY: the caller vouches for the topic.
    let (name, partitions) = unsafe {
        (
            text_at(topic.topic),
            elements(topic.partitions, topic.partition_cnt),
        )
    };
    let partition_listing = |partition: &c::rd_kafka_metadata_partition| {
        let code = raw_code(&raw const partition.err);
        PartitionListing {
            partition: partition.id,
            leader: (partition.leader >= 0).then_some(partition.leader),
            error: (code != 0).then(|| native_error(code).text),
        }
    };
    let mut partitions: Vec<_> = partitions.iter().map(partition_listing).collect();
    partitions.sort_by_key(|listing| listing.partition);
    TopicListing {
        topic: name,
        error,
        partitions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_that_is_none_is_no_answer() {
        let offset = |code, offset| offset_answer(code, offset).ok();
        assert_eq!([offset(0, 7), offset(0, -1)], [Some(7), Some(-1)]);
        assert_eq!([offset(0, -1001), offset(3, 7)], [None, None]);
    }
}
