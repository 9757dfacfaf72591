//! Every workload, played on a disk that works: the log shows what the model says after each step.

use sim::Random;
use sim::disk::Disk;
use sim::log::{Cast, Player, WORKLOADS, stores_on};

#[test]
fn every_workload_plays_in_each_of_its_modes() {
    for workload in WORKLOADS {
        for durability in workload.modes {
            let script = (workload.script)(&mut Random::new(3));
            let cast = Cast::of(&script);
            let disk = Disk::new();
            let open = || stores_on(&disk);
            let mut player = Player::create(script.role, *durability, &cast, &open).unwrap();
            for (at, step) in script.steps.iter().enumerate() {
                let done = player.step(step);
                let (name, step) = (workload.name, step.name());
                assert!(done.is_ok(), "{name}, {durability:?}, step {at}, {step}: {done:?}");
            }
            assert_eq!(player.model(), script.models().last().unwrap(), "{}", workload.name);
        }
    }
}
