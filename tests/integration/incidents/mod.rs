//! Incidents made for real on a broker: the cause of every extra record against what was done.

mod confusion;
mod copies;
mod failover;
mod lost_acks;
mod mixed;
mod process;
mod replays;
mod resends;
mod transactions;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::incidents::confusion::Confusion;
use crate::support::ack_proxy::{AckProxy, Fate, PRODUCE, mixed as mixed_bits};
use crate::support::broker::{ApacheKafka, or_skip};
use crate::support::cluster::Cluster;

/// What was done to make an extra record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    /// Its name in the matrix.
    label: &'static str,
    /// The cause that is right, of those that reports know; none where the log cannot tell it.
    right: Option<&'static str>,
}

const RETRY: Done = Done::of("producer-retry");
const RESEND: Done = Done::of("application-resend");
const REPLAY: Done = Done::of("consumer-replay");
const MIRROR: Done = Done::of("mirror-copy");
const DEAD_LETTER: Done = Done::of("dead-letter-copy");

impl Done {
    const fn of(cause: &'static str) -> Self {
        Self {
            label: cause,
            right: Some(cause),
        }
    }
}

/// Tells what made the extra records of a charge in a topic.
type Truth = dyn Fn(&str, &str) -> Done;

/// Makes incidents and checks what is said of them.
type Maker = fn(&Scene, &mut Confusion);

/// Topics in which something was done, and what made the extra records of a charge in a topic.
struct Incident {
    name: String,
    topics: Vec<String>,
    done: Box<Truth>,
}

impl Incident {
    fn new(name: impl Into<String>, topics: &[&String], done: Done) -> Self {
        Self {
            name: name.into(),
            topics: topics.iter().map(|topic| (*topic).clone()).collect(),
            done: Box::new(move |_, _| done),
        }
    }
}

/// Where an incident can be looked at: a cluster, and the folders of a broker's partitions.
#[derive(Clone, Copy)]
struct Site<'a> {
    cluster: &'a Cluster,
    data: &'a Path,
}

/// A broker, and a way to it that loses acknowledgements when it is told to.
struct Scene {
    cluster: Cluster,
    /// The same broker through the proxy.
    lossy: Cluster,
    losses: Arc<Losses>,
    broker: ApacheKafka,
}

/// Which acknowledgements are lost, and how many were.
#[derive(Default)]
struct Losses {
    /// One in how many acknowledgements meets which fate; none while nothing is to be lost.
    plan: Mutex<Option<(u64, Fate)>>,
    answered: AtomicU64,
    lost: AtomicU64,
}

impl Losses {
    fn judge(&self, api_key: i16) -> Fate {
        let Some((one_in, fate)) = *self.plan.lock().unwrap() else {
            return Fate::Pass;
        };
        if api_key != PRODUCE {
            return Fate::Pass;
        }
        // The first for certain: a producer that is kept waiting sends all in a few requests.
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        if number > 0 && !mixed_bits(number).is_multiple_of(one_in) {
            return Fate::Pass;
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
        fate
    }
}

impl Scene {
    fn new(broker: ApacheKafka) -> Self {
        let losses = Arc::new(Losses::default());
        let judging = Arc::clone(&losses);
        let listener = broker.take_proxy_listener();
        let proxy = AckProxy::start(listener, broker.proxied_port, move |api_key, _| {
            judging.judge(api_key)
        });
        Self {
            cluster: Cluster::new(&broker.bootstrap),
            lossy: Cluster::new(&proxy.address),
            losses,
            broker,
        }
    }

    fn site(&self) -> Site<'_> {
        Site {
            cluster: &self.cluster,
            data: &self.broker.data,
        }
    }

    /// Loses the first and one in `one_in` acknowledgements by `fate` while `produce` runs.
    fn losing(&self, one_in: u64, fate: Fate, produce: impl FnOnce()) {
        let before = self.losses.lost.load(Ordering::Relaxed);
        self.losses.answered.store(0, Ordering::Relaxed);
        *self.losses.plan.lock().unwrap() = Some((one_in, fate));
        produce();
        *self.losses.plan.lock().unwrap() = None;
        let lost = self.losses.lost.load(Ordering::Relaxed) - before;
        assert!(lost > 0, "no acknowledgement was lost");
    }
}

#[test]
fn causes_of_real_incidents_are_told() {
    let Some(broker) = or_skip(ApacheKafka::start()) else {
        return;
    };
    let scene = Scene::new(broker);
    let mut confusion = Confusion::default();
    let only = std::env::var("DUPAUDIT_INCIDENTS").unwrap_or_default();
    let makers: [(&str, Maker); 7] = [
        ("lost-acks", lost_acks::make),
        ("resends", resends::make),
        ("replays", replays::make),
        ("copies", copies::make),
        ("transactions", transactions::make),
        ("failover", failover::make),
        ("mixed", mixed::make),
    ];
    for (name, make) in makers {
        if only.is_empty() || only.split(',').any(|wanted| wanted == name) {
            let started = Instant::now();
            make(&scene, &mut confusion);
            confusion.note(&format!("{name}: {:?} in all", started.elapsed()));
        }
    }
    confusion.show();
    confusion.assert_right();
}
