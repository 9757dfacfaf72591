//! What happens in each scenario; who takes part is for the caller to say.

use std::rc::Rc;

use super::actor::{Actor, Kind, Wish};
use super::model::Model;
use super::proxy::Proxy;
use super::stage::Stage;

/// How a scenario ends: the first thing that was not as it should be.
pub(super) type Ended = Result<(), String>;

/// Bytes that the relay lets through before a peer is killed: a quarter of the log.
const HALF_WAY: u64 = 1_000_000;

/// Blocks and their length in a log that is large enough to be caught in the middle of.
const LARGE: (u32, u32) = (4_000, 1_000);

/// Block lengths at the borders that matter, and the longest of the issue.
const SIZES: [u32; 18] = [
    0, 1, 63, 64, 65, 127, 128, 129, 4_095, 4_096, 65_535, 65_536, 100_000, 1_048_576, 0,
    2_000_000, 3_145_728, 7,
];

/// Who writes, and who reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) writer: Kind,
    pub(super) reader: Kind,
}

impl Pair {
    pub(super) fn actors(self, stage: &Rc<Stage>) -> (Actor, Actor) {
        (Actor::new(stage, "writer", self.writer), Actor::new(stage, "reader", self.reader))
    }
}

pub(super) fn retire(actors: impl IntoIterator<Item = Actor>) -> Ended {
    actors.into_iter().try_for_each(Actor::retire)
}

/// Lengths of `count` blocks, around 100 bytes.
pub(super) fn short(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|n| 90 + n % 21)
}

/// A writer whose log has blocks of these lengths, and a reader who has nothing but the key.
fn written(
    stage: &Rc<Stage>,
    pair: Pair,
    lens: impl IntoIterator<Item = u32>,
) -> Result<(Actor, Actor, Model), String> {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, lens)?;
    reader.copy(writer.key())?;
    Ok((writer, reader, model))
}

/// Reads everything there is.
pub(super) fn fetch_all(writer: &mut Actor, reader: &mut Actor, model: &mut Model) -> Ended {
    let port = writer.listen()?;
    reader.begin(&[port], &Wish::all(), model)?;
    reader.end()?;
    reader.compare(model, &Wish::all())
}

/// A log of `count` short blocks.
pub(super) fn full(stage: &Rc<Stage>, pair: Pair, count: u32) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(count))?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    writer.leave()?;
    writer.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// The writer dials: the roles of the handshake are the other way round.
pub(super) fn dialled(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("compat")?;
    writer.append(&mut model, short(33))?;
    reader.copy(writer.key())?;
    let port = reader.listen()?;
    writer.connect(port)?;
    reader.ask(&Wish::all(), &model)?;
    reader.end()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// Blocks of 0 bytes to 3 MiB.
pub(super) fn sizes(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, SIZES)?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    retire([writer, reader])
}

/// A manifest of each kind, through us: from JavaScript to a reader of ours, and from that to JavaScript.
pub(super) fn manifest(stage: &Rc<Stage>, pair: Pair, through: Kind, kind: &str) -> Ended {
    let (mut writer, mut last) = pair.actors(stage);
    let mut between = Actor::new(stage, "between", through);
    let mut model = Model::default();
    writer.make(kind)?;
    writer.append(&mut model, short(33))?;
    between.copy(writer.key())?;
    last.copy(writer.key())?;
    fetch_all(&mut writer, &mut between, &mut model)?;
    writer.leave()?;
    fetch_all(&mut between, &mut last, &mut model)?;

    // Again after an append and a truncation, which are signed with another fork.
    between.leave()?;
    let _ = last.leave();
    writer.truncate(&mut model, 20)?;
    writer.append(&mut model, short(30))?;
    fetch_all(&mut writer, &mut between, &mut model)?;
    writer.leave()?;
    fetch_all(&mut between, &mut last, &mut model)?;
    retire([writer, between, last])
}

/// The writer has dropped some blocks; the others are to be had.
pub(super) fn cleared(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(1_000))?;
    writer.clear(10..30)?;
    writer.clear(500..900)?;
    let port = writer.listen()?;
    let wish = Wish::blocks(&[(0, 10), (30, 500), (900, 1_000)]);
    reader.begin(&[port], &wish, &model)?;
    reader.end()?;
    reader.compare(&mut model, &wish)?;
    retire([writer, reader])
}

/// A block that was dropped is waited for, and not for ever.
pub(super) fn missing(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(100))?;
    writer.clear(40..41)?;
    let port = writer.listen()?;
    let others = Wish::blocks(&[(0, 40), (41, 100)]);
    reader.begin(&[port], &others, &model)?;
    reader.end()?;
    // The others are here: however slow the machine is, the time is lost on this one alone.
    if reader.kind == Kind::Command {
        reader.begin_clone(&[port], &Wish::all(), &["--timeout", "2000"])?;
        let code = reader.exit_code()?;
        if code != Some(8) {
            return Err(format!("`clone` ended with {code:?}, not 8"));
        }
    } else if let Ok(hash) = reader.get(40, 1_000) {
        return Err(format!("block 40 was had from nowhere: {hash}"));
    }
    reader.compare(&mut model, &others)?;
    retire([writer, reader])
}

/// Parts of a log, then the rest.
pub(super) fn sparse(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(1_000))?;
    let port = writer.listen()?;
    let wish = Wish::blocks(&[(3, 4), (100, 164), (999, 1_000)]);
    reader.begin(&[port], &wish, &model)?;
    reader.end()?;
    reader.compare(&mut model, &wish)?;
    let _ = reader.leave();
    reader.begin(&[port], &Wish::all(), &model)?;
    reader.end()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// The log is shortened and filled anew between two visits.
pub(super) fn forked(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(40))?;
    // In the middle of a subtree, at its border, and to the very beginning.
    for (length, count) in [(25, 35), (32, 0), (17, 100), (0, 9)] {
        fetch_all(&mut writer, &mut reader, &mut model)?;
        writer.leave()?;
        let _ = reader.leave();
        writer.truncate(&mut model, length)?;
        writer.append(&mut model, short(count))?;
    }
    fetch_all(&mut writer, &mut reader, &mut model)?;
    retire([writer, reader])
}

/// The log is shortened and filled anew while a reader follows it.
pub(super) fn forked_live(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(40))?;
    let port = writer.listen()?;
    reader.begin(&[port], &Wish::live(), &model)?;
    reader.catch_up(&model)?;
    for (length, count) in [(25, 35), (59, 1), (32, 64), (1, 10)] {
        writer.truncate(&mut model, length)?;
        writer.append(&mut model, short(count))?;
        reader.catch_up(&model)?;
    }
    reader.stop()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// The log is shortened and filled anew in the middle of a download.
pub(super) fn forked_midway(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (count, len) = LARGE;
    let (mut writer, mut reader, mut model) = written(stage, pair, (0..count).map(|_| len))?;
    let port = writer.listen()?;
    let relay = Proxy::start(port, HALF_WAY)?;
    reader.begin(&[relay.port], &Wish::all(), &model)?;
    relay.wait_exhausted()?;
    writer.truncate(&mut model, 1_500)?;
    writer.append(&mut model, (0..3_000).map(|_| len))?;
    relay.go_on();
    if !reader.kind.is_ours() {
        // JavaScript 11 stops asking where its writer forks in the middle of its download, whoever the
        // writer is: it has to come again.
        relay.cut(port);
        reader.connect(relay.port)?;
    }
    if reader.kind != Kind::Command {
        reader.wait_for_head(&model)?;
        reader.ask(&Wish::all(), &model)?;
    }
    reader.end()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// What is appended comes without being asked for again.
pub(super) fn live(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, [])?;
    let port = writer.listen()?;
    reader.begin(&[port], &Wish::live(), &model)?;
    for count in [1, 7, 300, 1, 1, 2, 64] {
        writer.append(&mut model, short(count))?;
        reader.catch_up(&model)?;
    }
    reader.stop()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// Finds bytes in a log of which nothing is here.
pub(super) fn seek(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, model) = written(stage, pair, (0..1_000).map(|n| n % 37 * 11))?;
    let port = writer.listen()?;
    reader.begin(&[port], &Wish::blocks(&[(500, 501)]), &model)?;
    reader.end()?;
    let end = model.byte_length();
    for byte in [end / 3, 1, end - 1, end / 2, end / 7 * 5, 2, end / 3 + 1] {
        let found = reader.seek(byte)?;
        if found != model.find(byte) {
            return Err(format!("byte {byte} is {:?}, not {found:?}", model.find(byte)));
        }
    }
    retire([writer, reader])
}

/// A key that nobody here has a log for.
pub(super) fn wrong_key(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, short(5))?;
    let wrong: String = writer.key().chars().rev().collect();
    reader.copy(&wrong)?;
    let port = writer.listen()?;
    if reader.kind == Kind::Command {
        reader.begin_clone(&[port], &Wish::all(), &["--timeout", "150000"])?;
        let code = reader.exit_code()?;
        if code != Some(7) {
            return Err(format!("`clone` with a key of nobody ended with {code:?}, not 7"));
        }
    } else {
        reader.connect(port)?;
        if reader.get(0, 1_000).is_ok() {
            return Err("a block of a log that nobody has".into());
        }
        if reader.state()?["length"] != 0 {
            return Err("something was stored".into());
        }
        reader.close()?;
    }
    // The writer has not been disturbed by it.
    let mut other = Actor::new(stage, "other", pair.reader);
    other.copy(writer.key())?;
    other.begin(&[port], &Wish::all(), &model)?;
    other.end()?;
    other.compare(&mut model, &Wish::all())?;
    retire([writer, reader, other])
}

/// The writer dies in the middle, and comes back at another time.
pub(super) fn killed_writer(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (count, len) = LARGE;
    let (mut writer, mut reader, mut model) = written(stage, pair, (0..count).map(|_| len))?;
    let relay = Proxy::start(writer.listen()?, HALF_WAY)?;
    reader.begin(&[relay.port], &Wish::all(), &model)?;
    relay.wait_exhausted()?;
    writer.kill()?;
    writer.reopen()?;
    relay.cut(writer.listen()?);
    if reader.kind != Kind::Command {
        // The command dials again by itself.
        reader.connect(relay.port)?;
    }
    reader.end()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// The reader dies in the middle, and goes on with what it has.
pub(super) fn killed_reader(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (count, len) = LARGE;
    let (mut writer, mut reader, mut model) = written(stage, pair, (0..count).map(|_| len))?;
    let port = writer.listen()?;
    let relay = Proxy::start(port, HALF_WAY)?;
    reader.begin(&[relay.port], &Wish::all(), &model)?;
    relay.wait_exhausted()?;
    reader.kill()?;
    if reader.kind != Kind::Command {
        reader.reopen()?;
    }
    let blocks = reader.state()?["blocks"].clone();
    let kept = blocks
        .as_array()
        .map_or(0, |blocks| blocks.iter().filter(|block| !block.is_null()).count());
    stage.note(&format!("  the reader kept {kept} blocks"));
    reader.begin(&[port], &Wish::all(), &model)?;
    let last = reader.end()?;
    if let Some(downloaded) = last["downloaded"].as_u64()
        && downloaded + kept as u64 != u64::from(count)
    {
        return Err(format!("{downloaded} blocks were fetched, though {kept} were here"));
    }
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// Two peers that have a half each.
pub(super) fn two_halves(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader, mut model) = written(stage, pair, short(1_000))?;
    let mut mirror = Actor::new(stage, "mirror", pair.writer);
    mirror.copy(writer.key())?;
    fetch_all(&mut writer, &mut mirror, &mut model)?;
    writer.leave()?;
    mirror.close()?;
    writer.clear(500..1_000)?;
    if mirror.kind != Kind::Command {
        mirror.reopen()?;
        mirror.clear(0..500)?;
    }
    let ports = [writer.listen()?, mirror.listen()?];
    reader.begin(&ports, &Wish::all(), &model)?;
    reader.end()?;
    reader.compare(&mut model, &Wish::all())?;
    retire([writer, mirror, reader])
}

/// Several logs on one connection.
pub(super) fn cores(stage: &Rc<Stage>, pair: Pair) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let counts = [33, 0, 500];
    let mut models = [Model::default(), Model::default(), Model::default()];
    for (at, (model, count)) in models.iter_mut().zip(counts).enumerate() {
        writer.make(if at == 1 { "compat" } else { "v1" })?;
        writer.append(model, short(count))?;
        reader.copy(writer.key())?;
    }
    let port = writer.listen()?;
    if reader.kind != Kind::Command {
        reader.connect(port)?;
    }
    for (at, model) in models.iter_mut().enumerate() {
        let reader = reader.at(at);
        if reader.kind == Kind::Command {
            reader.begin(&[port], &Wish::all(), model)?;
        } else {
            reader.ask(&Wish::all(), model)?;
        }
        reader.end()?;
        reader.compare(model, &Wish::all())?;
    }
    retire([writer, reader])
}

/// Four peers, all connected with each other; the writer leaves before anybody has everything.
pub(super) fn mesh(stage: &Rc<Stage>, kinds: [Kind; 4]) -> Ended {
    let mut model = Model::default();
    let [kind, others @ ..] = kinds;
    let mut writer = Actor::new(stage, "writer", kind);
    let mut number = 0;
    let mut readers = others.map(|kind| {
        number += 1;
        Actor::new(stage, &format!("reader-{number}"), kind)
    });
    writer.make("v1")?;
    writer.append(&mut model, short(900))?;
    let mut ports = vec![writer.listen()?];
    for reader in &mut readers {
        reader.copy(writer.key())?;
        for port in &ports {
            reader.connect(*port)?;
        }
        ports.push(reader.listen()?);
    }
    let parts = [(0, 400), (300, 700), (600, 900)];
    for (reader, part) in readers.iter_mut().zip(parts) {
        reader.ask(&Wish::blocks(&[part]), &model)?;
    }
    for reader in &mut readers {
        reader.end()?;
    }
    writer.append(&mut model, short(100))?;
    for reader in &mut readers {
        reader.wait_for_head(&model)?;
    }
    let [_, _, last] = &mut readers;
    last.ask(&Wish::blocks(&[(900, 1_000)]), &model)?;
    last.end()?;
    writer.kill()?;

    for reader in &mut readers {
        reader.ask(&Wish::all(), &model)?;
    }
    for reader in &mut readers {
        reader.end()?;
        reader.compare(&mut model, &Wish::all())?;
    }
    retire([writer].into_iter().chain(readers))
}
