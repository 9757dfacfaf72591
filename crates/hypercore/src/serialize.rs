//! What serde makes of the bytes that a log takes in its storage (feature `serde`).

use hypercore_log::StorageInfo;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct StorageForm {
    oplog: u64,
    tree: u64,
    bitfield: u64,
    data: u64,
    /// For who reads it; it follows from the others.
    #[serde(skip_deserializing)]
    total: u64,
}

pub(crate) fn serialize<S: Serializer>(
    info: &StorageInfo,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let StorageInfo { oplog, tree, bitfield, data, .. } = *info;
    StorageForm { oplog, tree, bitfield, data, total: info.total() }.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<StorageInfo, D::Error> {
    let form = StorageForm::deserialize(deserializer)?;
    let mut info = StorageInfo::default();
    (info.oplog, info.tree, info.bitfield, info.data) =
        (form.oplog, form.tree, form.bitfield, form.data);
    Ok(info)
}
