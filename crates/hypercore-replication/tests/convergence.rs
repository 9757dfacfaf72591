//! Whatever happens to a mesh of replicators, once it is left alone all have the writer's log.
//!
//! `CONVERGENCE_SEED=7 cargo test --test all convergence` runs one script and prints it.

mod support;

use std::time::Duration;

use hypercore_replication::{
    Event, LogChange, Options, Outcome, RangeWish, UpgradeWish, WantRegion,
};
use support::{Net, Node, fill, reader, writer};

const SCRIPTS: u64 = 250;
const STEPS: u64 = 60;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn script(seed: u64, is_shown: bool) {
    let mut random = Random(seed);
    let mut net = Net::default();
    let writer = writer(1);
    fill(&writer, random.below(200));
    let key = writer.key();
    net.add(Node::new(writer));
    let readers = 1 + random.below(3) as usize;
    for number in 0..readers {
        let region = if random.below(2) == 0 { WantRegion::Small } else { WantRegion::Large };
        let options = Options::new()
            .seed(seed + number as u64)
            .want_region(region)
            .allow_push(random.below(3) == 0);
        net.add(Node::with(reader(key), options));
    }
    let mut links = Vec::new();
    let mut wishes = Vec::new();
    for _ in 0..STEPS {
        let node = random.below(1 + readers as u64) as usize;
        let length = net.nodes[0].log.length();
        let action = random.below(16);
        if is_shown {
            println!("{:?}: action {action} at node {node}, {length} blocks", net.now);
        }
        match action {
            0 | 1 => net.nodes[0].append(length + 1 + random.below(40)),
            2 if length > 0 => {
                net.nodes[0].truncate(random.below(length)).unwrap();
                // Blocks that differ from those before.
                let fork = net.nodes[0].log.fork();
                let blocks: Vec<Vec<u8>> =
                    (0..random.below(30)).map(|index| vec![fork as u8; index as usize]).collect();
                if !blocks.is_empty() {
                    net.nodes[0].log.append(&blocks).unwrap();
                    net.nodes[0].replicator.log_changed(LogChange::Appended);
                }
            }
            3 | 4 => {
                let other = random.below(1 + readers as u64) as usize;
                if other != node {
                    let link = net.connect(node, other);
                    net.set_latency(link, Duration::from_millis(random.below(300)));
                    links.push(link);
                }
            }
            5 if !links.is_empty() => {
                net.disconnect(links[random.below(links.len() as u64) as usize]);
            }
            6 | 7 if node > 0 => {
                let block = random.below(length.max(1) + 5);
                wishes.push((node, net.nodes[node].replicator.want_block(block, random.below(3))));
            }
            8 if node > 0 => {
                let start = random.below(length.max(1));
                let mut range = RangeWish::new(start..start + random.below(100));
                if random.below(2) == 0 {
                    range = range.linear();
                }
                wishes.push((node, net.nodes[node].replicator.want_range(range)));
            }
            9 if node > 0 => {
                let blocks: Vec<u64> = (0..9).map(|_| random.below(length.max(1))).collect();
                wishes.push((node, net.nodes[node].replicator.want_range(RangeWish::list(blocks))));
            }
            10 if !wishes.is_empty() => {
                let (node, wish) = wishes.swap_remove(random.below(wishes.len() as u64) as usize);
                net.nodes[node].replicator.cancel(wish);
            }
            11 if node > 0 => {
                let own = net.nodes[node].log.length();
                if own > 0 {
                    let start = random.below(own);
                    let range = start..(start + random.below(20)).min(own);
                    net.nodes[node].log.clear(range.clone()).unwrap();
                    net.nodes[node].replicator.log_changed(LogChange::Cleared(range));
                }
            }
            12 if node > 0 => {
                let replicator = &mut net.nodes[node].replicator;
                wishes.push((node, replicator.want_upgrade(UpgradeWish::Latest)));
                wishes.push((node, replicator.want_seek(random.below(5000), 0)));
            }
            13 => net.run_for(Duration::from_millis(random.below(1000))),
            _ => {
                for _ in 0..random.below(8) {
                    net.step();
                }
            }
        }
    }
    // All is well from here on: everyone wants everything and knows someone.
    let length = net.nodes[0].log.length().max(1);
    if net.nodes[0].log.length() == 0 {
        net.nodes[0].append(1);
    }
    for node in 1..=readers {
        net.connect(node - 1, node);
        // Without an end: one with an end may be fulfilled by blocks of a fork that is left afterwards.
        net.nodes[node].replicator.want_range(RangeWish::new(..));
    }
    net.run_for(Duration::from_secs(300));
    for node in 1..=readers {
        net.assert_same(0, node);
        let wish = net.nodes[node].replicator.want_range(RangeWish::new(..length));
        net.settle();
        assert_eq!(net.nodes[node].outcome(wish), Some(Outcome::Stored));
    }
    for node in &net.nodes {
        assert!(node.replicator.conflict().is_none());
        assert!(node.closed.is_empty(), "{:?}", node.closed);
        let accused = node.events.iter().find(|event| {
            matches!(event, Event::VerificationFailed { .. } | Event::StorageFailed { .. })
        });
        assert_eq!(accused, None, "nobody lied");
    }
}

#[test]
fn all_end_with_the_log_of_the_writer() {
    if let Ok(seed) = std::env::var("CONVERGENCE_SEED") {
        return script(seed.parse().unwrap(), true);
    }
    for seed in 0..SCRIPTS {
        println!("seed {seed}");
        script(seed, false);
    }
}
