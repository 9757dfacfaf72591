//! Takes a typed value apart: `cargo run -p compact-encoding --example read_any -- 08016b0202616207020104`
//! prints it, or says which byte is wrong (here: an array claims more elements than there are).

use compact_encoding::Decoder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let digits = std::env::args().nth(1).unwrap_or_else(|| "080201 6b020176 016e07010401".into());
    let digits: Vec<u8> = digits.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        bytes.push(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    }
    let mut input = Decoder::new(&bytes);
    match input.any().and_then(|value| input.finish().map(|()| value)) {
        Ok(value) => println!("{value:?}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
