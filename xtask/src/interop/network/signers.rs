//! Logs that several sign, that begin with what nobody signs, and proofs that stand alone.

use std::rc::Rc;

use super::actor::{Actor, Kind, Wish};
use super::courses::{Ended, Pair, fetch_all, retire, short};
use super::model::Model;
use super::stage::Stage;

/// Where a proof with a block of `PROVEN_LEN` bytes is within the block.
const PROOF_TAMPERED_AT: usize = 300;
const PROVEN_LEN: u32 = 1_000;

/// A log of this manifest grows in front of a reader, who passes it on.
pub(super) fn signed(stage: &Rc<Stage>, pair: Pair, through: Kind, kind: &str) -> Ended {
    let (mut writer, mut last) = pair.actors(stage);
    let mut between = Actor::new(stage, "between", through);
    let mut model = Model::default();
    writer.make(kind)?;
    writer.append(&mut model, short(1))?;
    between.copy(writer.key())?;
    last.copy(writer.key())?;
    let port = writer.listen()?;
    between.begin(&[port], &Wish::live(), &model)?;
    // The patches of these lead over one node, over several, and over a new root.
    for count in [4, 1, 33, 2, 90] {
        writer.append(&mut model, short(count))?;
        between.catch_up(&model)?;
    }
    writer.truncate(&mut model, 61)?;
    writer.append(&mut model, short(7))?;
    between.catch_up(&model)?;
    between.stop()?;
    between.compare(&mut model, &Wish::all())?;
    between.leave()?;
    fetch_all(&mut between, &mut last, &mut model)?;
    // What is stored is what was signed.
    writer.close()?;
    writer.reopen()?;
    writer.compare(&mut model, &Wish::all())?;
    retire([writer, between, last])
}

/// Two signers on two machines, of whom the one that does not write signs more than is appended.
pub(super) fn together(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut other) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("patch")?;
    let seed = writer.last_seed();
    other.copy(writer.key())?;
    writer.append(&mut model, short(5))?;
    fetch_all(&mut writer, &mut other, &mut model)?;
    for (count, ahead) in [(4, 10), (6, 6), (1, 90), (89, 89)] {
        let length = model.length() + count;
        let lens = |count| (0..count).map(|_| 100);
        let part = other.part(&seed, &model, lens(ahead), length)?;
        writer.append_with_part(&mut model, lens(count), &part)?;
        other.ask(&Wish::all(), &model)?;
        other.end()?;
    }
    other.compare(&mut model, &Wish::all())?;
    retire([writer, other])
}

/// A log that begins with the blocks of another one, first with nothing else.
pub(super) fn prologue(stage: &Rc<Stage>, pair: Pair, kind: &str) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, short(21))?;
    let prologue = writer.prologue()?;
    writer.make_after(kind, &prologue)?;
    writer.copy_prologue(0)?;
    writer.compare(&mut model, &Wish::all())?;
    reader.copy(writer.key())?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    if kind != "static" {
        writer.append(&mut model, short(12))?;
        reader.ask(&Wish::all(), &model)?;
        reader.end()?;
        reader.compare(&mut model, &Wish::all())?;
    }
    writer.close()?;
    writer.reopen()?;
    writer.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// A proof of the writer for somebody who has nothing but the key, and for somebody who has an older log.
pub(super) fn proven(stage: &Rc<Stage>, pair: Pair, kind: &str) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make(kind)?;
    writer.append(&mut model, (0..13).map(|_| PROVEN_LEN))?;
    reader.copy(writer.key())?;
    check_proof(&mut writer, &mut reader, &model, 6)?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    writer.leave()?;
    reader.leave()?;
    check_proof(&mut writer, &mut reader, &model, 0)?;
    writer.append(&mut model, (0..8).map(|_| PROVEN_LEN))?;
    check_proof(&mut writer, &mut reader, &model, 20)?;
    if reader.state()?["length"] == model.length() {
        return Err("checking a proof has made the log longer".into());
    }
    retire([writer, reader])
}

fn check_proof(writer: &mut Actor, reader: &mut Actor, model: &Model, index: u64) -> Ended {
    let proof = writer.prove(index)?;
    let proven = reader.verify(&proof)?;
    let is_proven = proven["length"] == model.length()
        && proven["fork"] == model.fork
        && proven["index"] == index
        && proven["hash"].as_str() == model.hash(index);
    if !is_proven {
        return Err(format!("of block {index} this was proven: {proven}"));
    }
    if writer.kind == Kind::Js11 {
        let proof = writer.prove_node(2 * index)?;
        let proven = reader.verify(&proof)?;
        if proven["length"] != model.length() {
            return Err(format!("of node {} this was proven: {proven}", 2 * index));
        }
    }
    let (before, after) = proof.split_at(PROOF_TAMPERED_AT * 2);
    let other = if after.starts_with('0') { '1' } else { '0' };
    let tampered = format!("{before}{other}{}", &after[1..]);
    match reader.verify(&tampered) {
        Ok(proven) => Err(format!("a proof with another block proves {proven}")),
        Err(_) => Ok(()),
    }
}
