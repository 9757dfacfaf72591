//! Named batches, committed or kept, and backups, before the eyes of JavaScript.

use std::rc::Rc;

use super::actor::{Actor, Kind, Wish};
use super::courses::{Ended, Pair, fetch_all, retire, short};
use super::model::Model;
use super::stage::Stage;

/// One commit of many blocks.
pub(super) fn committed(stage: &Rc<Stage>, pair: Pair, count: u32) -> Ended {
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, short(7))?;
    writer.append_draft(&mut model, short(count))?;
    reader.copy(writer.key())?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    retire([writer, reader])
}

/// The directory of a log that has a batch, and a backup of it, in turn with JavaScript 10.
pub(super) fn kept(stage: &Rc<Stage>) -> Ended {
    let pair = Pair { writer: Kind::Facade, reader: Kind::Js10 };
    let (mut writer, mut reader) = pair.actors(stage);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, short(33))?;
    let mut batch = model.clone();
    writer.keep(&mut batch, short(5))?;
    let backup = writer.backup()?;
    writer.close()?;
    let dir = writer.dir().to_path_buf();
    if !dir.join("batches").is_dir() {
        return Err("there is no folder of batches".into());
    }
    for dir in [&dir, &backup] {
        reader.take_over(dir)?;
        reader.compare(&mut model, &Wish::all())?;
        reader.close()?;
    }

    writer.reopen()?;
    writer.keep(&mut batch, short(2))?;
    writer.compare_kept(&mut batch)?;
    writer.commit()?;
    model = batch.clone();
    writer.compare(&mut model, &Wish::all())?;
    writer.keep(&mut batch, short(3))?;
    writer.close()?;

    // The log takes what the batch has, which may be committed, and then something else.
    reader.at(0).reopen()?;
    reader.compare(&mut model, &Wish::all())?;
    reader.append(&mut model, short(3))?;
    reader.close()?;
    writer.reopen()?;
    writer.keep(&mut batch, short(2))?;
    writer.commit()?;
    model = batch.clone();
    writer.keep(&mut batch, short(1))?;
    writer.close()?;
    reader.reopen()?;
    reader.compare(&mut model, &Wish::all())?;
    reader.append(&mut model, [50, 50])?;
    reader.close()?;
    writer.reopen()?;
    writer.keep(&mut batch, [])?;
    writer.compare_kept(&mut batch)?;
    match writer.commit() {
        Err(what) if what.contains("other blocks") => {}
        other => return Err(format!("the commit should have been refused: {other:?}")),
    }
    writer.compare(&mut model, &Wish::all())?;
    retire([writer, reader])
}

/// The writer is lost; its backup learns from JavaScript what came after it was made, and goes on.
pub(super) fn confirmed(stage: &Rc<Stage>, reader: Kind) -> Ended {
    let (mut writer, mut reader) = Pair { writer: Kind::Facade, reader }.actors(stage);
    let mut restored = Actor::new(stage, "restored", Kind::Facade);
    let mut model = Model::default();
    writer.make("v1")?;
    writer.append(&mut model, short(20))?;
    let backup = writer.backup()?;
    writer.append(&mut model, short(10))?;
    reader.copy(writer.key())?;
    fetch_all(&mut writer, &mut reader, &mut model)?;
    writer.kill()?;

    restored.take_over(&backup)?;
    match restored.append(&mut model.clone(), short(1)) {
        Err(what) if what.contains("backup") => {}
        other => return Err(format!("the append should have been refused: {other:?}")),
    }
    restored.connect(reader.listen()?)?;
    restored.confirm()?;
    restored.append(&mut model, short(5))?;
    for one in [&mut reader, &mut restored] {
        one.ask(&Wish::all(), &model)?;
        one.end()?;
        one.compare(&mut model, &Wish::all())?;
    }
    retire([writer, reader, restored])
}
