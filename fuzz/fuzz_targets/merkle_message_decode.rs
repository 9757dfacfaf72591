//! Any bytes as a request and as its answer: no panic, and messages survive being written again.
#![no_main]

use compact_encoding::{Decode, Encode};
use hypercore_fuzz::{core, nodes};
use hypercore_merkle::{Data, Request};
use libfuzzer_sys::fuzz_target;

/// What was read is written with the announced length and reads the same.
fn check<T: for<'a> Decode<'a> + Encode + PartialEq + std::fmt::Debug>(message: &T) {
    let written = message.to_vec();
    assert_eq!(written.len(), message.encoded_len());
    assert_eq!(T::from_slice(&written).as_ref(), Ok(message));
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(data) = Data::from_slice(bytes) {
        check(&data);
    }
    if let Ok(request) = Request::from_slice(bytes) {
        check(&request);
        // Whatever is asked, the answer is a proof or an error.
        let core = core();
        if let Ok(proof) =
            core.tree.prove(nodes(), &request, Some(&core.signature), Some(&core.manifest))
        {
            check(&Data { request_id: request.id, proof });
        }
    }
});
