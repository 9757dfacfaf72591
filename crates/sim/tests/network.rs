//! Runs of the simulated network: they end well, and the same seed gives the same run.

use sim::network::{Scenario, run};

#[test]
fn seeds_end_well() {
    for seed in 1..=20 {
        let ended = run(&Scenario::new(seed), false);
        assert_eq!(ended.result, Ok(()), "seed {seed}");
        assert_eq!(ended.totals.converged + ended.totals.proven_forks, 1, "seed {seed}");
    }
}

#[test]
fn a_seed_is_a_run() {
    let scenario = Scenario::new(7);
    let [first, again] = [(); 2].map(|()| run(&scenario, true));
    assert!(!first.trace.is_empty());
    assert_eq!(first.trace, again.trace);
    assert_eq!(first.totals, again.totals);
    assert!(run(&scenario, false).trace.is_empty());
    assert_ne!(run(&Scenario::new(8), true).trace, first.trace);
}
