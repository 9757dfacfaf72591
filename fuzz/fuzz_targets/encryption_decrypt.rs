//! Any bytes as an encrypted block, under each scheme, and any name as that of a core: no panic, and what is
//! encrypted is decrypted.
#![no_main]

use hypercore_crypto::{
    BlockEncryption, BlockKey, CORESTORE_DEFAULT_NAMESPACE, DecryptError, DefaultEncryption,
    KeyIdEncryption, PrimaryKey, corestore_namespace, verify,
};
use hypercore_fuzz::{DECODE_CONSTANT, Script, bounded, core};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let (index, fork) = (script.number(), script.number());
    let id = u32::from(script.byte());
    let bytes = script.take(usize::MAX);
    let schemes: [&dyn BlockEncryption; 4] = [
        &DefaultEncryption::new(&core().key, false, &[4; 32]),
        &DefaultEncryption::new(&core().key, true, &[4; 32]),
        &DefaultEncryption::with_block_key(BlockKey::from_bytes(&[5; 32])),
        &KeyIdEncryption::new(id, &[6; 32]).with_key(id / 2, &[7; 32]).with_key(u32::MAX, &[8; 32]),
    ];
    for scheme in schemes {
        let decrypted = bounded(DECODE_CONSTANT, bytes.len(), || scheme.decrypt(index, bytes));
        match decrypted {
            Ok(plain) => assert_eq!(plain.len() + scheme.padding(), bytes.len()),
            Err(DecryptError::TooShort { .. }) => assert!(bytes.len() < scheme.padding()),
            Err(error) => assert!(bytes[0] > 0, "{error}"),
        }
        let stored = scheme.encrypt(index, fork, bytes);
        assert_eq!(stored.len(), bytes.len() + scheme.padding());
        assert_eq!(scheme.decrypt(index, &stored).as_deref(), Ok(bytes));
    }
    let (parent, name) = bytes.split_at(bytes.len() / 2);
    let namespace = corestore_namespace(&CORESTORE_DEFAULT_NAMESPACE, parent);
    let pair = PrimaryKey::from_bytes(&[9; 32]).key_pair(&namespace, name);
    assert!(verify(&pair.public(), bytes, pair.sign(bytes).as_bytes()));
});
