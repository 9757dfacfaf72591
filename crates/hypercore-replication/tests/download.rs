//! Fetching between replicators: everything, parts, live, in any order.

mod support;

use hypercore_replication::{Outcome, RangeWish};
use support::Net;

#[test]
fn an_empty_reader_gets_everything() {
    for length in [0, 1, 2, 33, 1000, 5000] {
        let mut net = Net::pair(length);
        let wish = net.nodes[1].replicator.want_range(RangeWish::new(..length));
        net.settle();
        net.assert_same(0, 1);
        assert_eq!(net.nodes[1].outcome(wish), Some(Outcome::Stored), "{length} blocks");
    }
}
