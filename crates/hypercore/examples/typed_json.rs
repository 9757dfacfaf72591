//! A log of values: JSON in the blocks, structs in the program.
//!
//! `cargo run --example typed_json --features serde`

use hypercore::{Hypercore, Json, Storage};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    sensor: String,
    celsius: f64,
}

fn reading(sensor: &str, celsius: f64) -> Reading {
    Reading { sensor: sensor.to_owned(), celsius }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = Hypercore::open(Storage::memory()).await?;
    let readings = log.typed(Json::<Reading>::new());
    readings.append_batch([reading("roof", -3.5), reading("cellar", 11.0)]).await?;

    println!("block 0 is  {}", String::from_utf8_lossy(&log.get(0).await?));
    println!("which means {:?}", readings.get(0).await?);

    let mut warmest = readings.get(0).await?;
    let mut stream = readings.read_stream(1..);
    while let Some(next) = stream.next().await {
        let next = next?;
        if next.celsius > warmest.celsius {
            warmest = next;
        }
    }
    println!("the warmest is the {}", warmest.sensor);
    assert_eq!(warmest, reading("cellar", 11.0));

    log.append("no JSON at all").await?;
    println!("block 2: {}", readings.get(2).await.expect_err("it is no reading"));
    Ok(())
}
