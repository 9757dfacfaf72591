//! Streams whose handshake, or all of whose encryption, is somebody else's.

mod common;

use common::pipe::{HASH, pipes};
use common::{block, reader, writer};
use hypercore::{
    EndReason, Handshake, ProtocolStream, PublicKey, Role, StreamOptions, StreamPublicKey,
};

#[tokio::test]
async fn a_pipe_of_messages_carries_logs() {
    let log = writer(100).await;
    let copy = reader(&log).await;
    let (one, other) = pipes();
    let remote = PublicKey::from_bytes([9; 32]);
    let options = StreamOptions::new().allow(move |key| async move { key == remote });
    let left = ProtocolStream::from_messages(one, Role::Initiator, HASH, Some(remote), options);
    let right =
        ProtocolStream::from_messages(other, Role::Responder, HASH, None, StreamOptions::new());
    left.add(&log).unwrap();
    right.add(&copy).unwrap();
    copy.download(..100).unwrap().done().await.unwrap();
    assert_eq!(copy.get_local(99).await.unwrap().unwrap(), block(99));
    assert_eq!((left.remote_public_key(), right.remote_public_key()), (Some(remote), None));
    drop(left);
    assert!(matches!(right.await, EndReason::Ended));
}

#[tokio::test]
async fn a_peer_without_a_name_is_not_let_in_where_names_matter() {
    let (one, _other) = pipes();
    let options = StreamOptions::new().allow(|_| async { true });
    let stream = ProtocolStream::from_messages(one, Role::Initiator, HASH, None, options);
    assert!(matches!(stream.await, EndReason::NotAllowed));
}

/// As HyperDHT does it: the handshake took place elsewhere, and gave both sides their keys.
#[tokio::test]
async fn a_handshake_made_elsewhere_is_taken_over() {
    let log = writer(3).await;
    let copy = reader(&log).await;
    let (here, there) = tokio::io::duplex(1024);
    let (tx, rx, hash) = ([1; 32], [2; 32], [3; 64]);
    let keys = ([4; 32], [5; 32]);
    let made = |send, receive, remote: [u8; 32]| {
        Handshake::from_parts(send, receive, hash, StreamPublicKey::from_bytes(remote))
    };
    let (one, other) = (made(tx, rx, keys.1), made(rx, tx, keys.0));
    let left = ProtocolStream::from_handshake(here, Role::Initiator, one, StreamOptions::new());
    let right = ProtocolStream::from_handshake(there, Role::Responder, other, StreamOptions::new());
    left.add(&log).unwrap();
    right.add(&copy).unwrap();
    assert_eq!(copy.get(2).await.unwrap(), block(2));
    assert_eq!(left.handshake_hash(), Some(hash));
    assert_eq!(left.remote_public_key().map(|key| *key.as_bytes()), Some(keys.1));
    assert_eq!(right.remote_public_key().map(|key| *key.as_bytes()), Some(keys.0));
}
