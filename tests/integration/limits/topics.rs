//! The memory of scans of topics, that of the client and of what it keeps included.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use crate::support::Workspace;
use crate::support::broker;
use crate::support::cluster::{Cluster, flush, send};

/// Records of 2 KB, which no codec makes smaller: twice what the larger scan may keep of them.
const RECORDS: u32 = 30_000;

fn fill(cluster: &Cluster, topic: &str, records: u32) {
    let producer = cluster.producer(&[("linger.ms", "20"), ("compression.type", "lz4")]);
    let mut state = 7_u64;
    for number in 0..records {
        let mut padding = String::new();
        for _ in 0..125 {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            write!(padding, "{:016x}", state ^ state >> 29).unwrap();
        }
        let charge = number - u32::from(number % 1_000 == 999);
        let value = format!(r#"{{"charge_id":"ch_{charge}","padding":"{padding}"}}"#);
        send(&producer, topic, i32::try_from(number % 4).unwrap(), &value);
    }
    flush(&producer);
}

/// Returns the most memory that a scan had at once, in MiB, and the groups it found.
fn peak_mib(cluster: &Cluster, topic: &str, memory: &str) -> (u64, i64) {
    let workspace = Workspace::new();
    let source = ["scan", "-b", &cluster.bootstrap, "-t", topic];
    let options = ["--by", "charge_id", "--memory", memory, "-o", "x.json"];
    let arguments = source.iter().chain(&options);
    let running = workspace.dupaudit(arguments).start();
    let mut peak = 0;
    while !running.is_over() {
        peak = running.peak_kib().unwrap_or(peak);
        thread::sleep(Duration::from_millis(2));
    }
    let outcome = running.finish();
    assert!(peak > 0, "nothing was measured: {outcome}");
    (peak >> 10, workspace.report("x.json").total("groups"))
}

#[test]
fn what_the_client_holds_and_keeps_is_a_part_of_the_memory() {
    let Some(cluster) = broker::shared() else {
        return;
    };
    let [small, large] = ["small", "large"].map(|name| cluster.create_topic(name, 4, &[]));
    fill(&cluster, &small, 8);
    fill(&cluster, &large, RECORDS);
    let (program, _) = peak_mib(&cluster, &small, "64MB");
    // A scan of 64 MB keeps nothing for its second pass, the other (160 − 64) / 4.
    for (memory, most) in [("64MB", 32), ("160MB", 32 + 24)] {
        let (peak, groups) = peak_mib(&cluster, &large, memory);
        assert_eq!(groups, i64::from(RECORDS / 1_000));
        assert!(
            peak <= program + most,
            "{memory}: {peak} MiB, {program} without records"
        );
    }
}
