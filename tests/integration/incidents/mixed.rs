//! Several causes at once in one topic, and its mirror.

use std::thread;

use super::replays::Pace;
use super::{Confusion, Done, Incident, MIRROR, REPLAY, RESEND, RETRY, Scene};
use super::{copies, lost_acks, replays, resends};
use crate::support::ack_proxy::Fate;

pub(super) fn make(scene: &Scene, confusion: &mut Confusion) {
    let topic = scene.cluster.create_topic("mixed", 3, &[]);
    scene.losing(30, Fate::Close, || {
        thread::scope(|scope| {
            scope.spawn(|| {
                let lingering = [("linger.ms", "5")];
                lost_acks::librdkafka(scene, &topic, "retried", &lingering);
            });
            scope.spawn(|| resends::send_until_told(scene, &topic, "resent", false));
            scope.spawn(|| replays::kill_three_times(scene, &topic, "replayed", Pace::InStep));
        });
    });
    let done = |charge_id: &str| -> Done {
        match charge_id.split('_').next() {
            Some("retried") => RETRY,
            Some("resent") => RESEND,
            Some("replayed") => REPLAY,
            _ => panic!("nobody made `{charge_id}`"),
        }
    };
    let mixed = Incident {
        name: "mixed".to_owned(),
        topics: vec![topic.clone()],
        done: Box::new(move |charge_id, _| done(charge_id)),
    };
    confusion.check(scene.site(), &mixed);

    let mirror = scene.cluster.create_topic(&format!("us.{topic}"), 3, &[]);
    copies::copy(scene, &topic, &mirror);
    let mirrored = Incident {
        name: "mixed, mirrored".to_owned(),
        topics: vec![topic.clone(), mirror],
        done: Box::new(move |charge_id, of| if of == topic { done(charge_id) } else { MIRROR }),
    };
    confusion.check(scene.site(), &mirrored);
}
