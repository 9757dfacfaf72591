//! Encrypted logs: with a key and with a block key, read with and without.

use std::rc::Rc;

use super::actor::{Actor, Kind, Wish};
use super::courses::{Ended, Pair, retire, short};
use super::model::Model;
use super::stage::Stage;

/// A key that encrypts blocks.
const ENCRYPTION_KEY: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// Encrypted blocks through a reader that has no key.
pub(super) fn encrypted(stage: &Rc<Stage>, pair: Pair, through: Kind, kind: &str) -> Ended {
    let (mut writer, mut last) = pair.actors(stage);
    let mut between = Actor::new(stage, "between", through);
    let mut model = Model::default();
    writer.encryption_key = Some(ENCRYPTION_KEY.to_owned());
    writer.make(kind)?;
    writer.append(&mut model, short(33))?;
    writer.append(&mut model, [0, 5_000])?;
    between.copy(writer.key())?;
    last.copy(writer.key())?;

    let port = writer.listen()?;
    between.begin(&[port], &Wish::all(), &model)?;
    between.end()?;
    let blind = between.state()?["blocks"].clone();
    writer.leave()?;
    let port = between.listen()?;
    last.begin(&[port], &Wish::all(), &model)?;
    last.end()?;
    if last.state()?["blocks"] != blind {
        return Err("the two readers without a key hold different bytes".into());
    }
    last.decrypt(ENCRYPTION_KEY)?;
    last.compare(&mut model, &Wish::all())?;
    retire([writer, between, last])
}

/// Encrypted blocks, appended and committed, in a second fork; for a reader that has the key before it knows the
/// manifest, and one that is given a block key when it has everything.
pub(super) fn keys(stage: &Rc<Stage>, pair: Pair, kind: &str, is_block_key: bool) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut later = Actor::new(stage, "later", pair.reader);
    let mut model = Model::default();
    writer.encryption_key = Some(ENCRYPTION_KEY.to_owned());
    writer.is_block_key = is_block_key;
    writer.make(kind)?;
    writer.append(&mut model, short(33))?;
    writer.append_draft(&mut model, [0, 5_000, 70_000])?;
    writer.truncate(&mut model, 35)?;
    writer.append_draft(&mut model, short(9))?;
    writer.append(&mut model, short(9))?;
    writer.compare(&mut model, &Wish::all())?;

    reader.encryption_key.clone_from(&writer.encryption_key);
    reader.is_block_key = is_block_key;
    // JavaScript 11 throws when such a core turns out to be a compat one.
    let is_told_late = reader.kind == Kind::Js11 && kind == "compat";
    if is_told_late {
        reader.copy(writer.key())?;
    } else {
        reader.copy_decrypting(writer.key())?;
    }
    later.copy(writer.key())?;
    let port = writer.listen()?;
    for reader in [&mut reader, &mut later] {
        reader.begin(&[port], &Wish::all(), &model)?;
        reader.end()?;
    }
    if is_told_late && is_block_key {
        reader.decrypt_blocks(ENCRYPTION_KEY)?;
    } else if is_told_late {
        reader.decrypt(ENCRYPTION_KEY)?;
    }
    reader.compare(&mut model, &Wish::all())?;
    if later.compare(&mut model, &Wish::all()).is_ok() {
        return Err("a reader without a key reads the blocks".into());
    }
    let block_key = if is_block_key {
        ENCRYPTION_KEY.to_owned()
    } else {
        let block_key = writer.block_key()?;
        if reader.block_key()? != block_key {
            return Err("the two have different block keys for one core".into());
        }
        block_key
    };
    later.decrypt_blocks(&block_key)?;
    later.compare(&mut model, &Wish::all())?;

    // What comes after it was handed over.
    writer.append(&mut model, short(5))?;
    for reader in [&mut reader, &mut later] {
        reader.ask(&Wish::all(), &model)?;
        reader.end()?;
        reader.compare(&mut model, &Wish::all())?;
    }
    retire([writer, reader, later])
}
