//! What serde makes of proofs (feature `serde`): the fields of their messages, with bytes as hex digits where people read them.

use hypercore_crypto::DiscoveryKey;
use hypercore_merkle::Proof as Inner;
use hypercore_replication::StandaloneProof;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::remote::RemoteProof;
use super::value::Proof;

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_inner().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Inner::deserialize(deserializer).map(Self::new)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoteForm {
    discovery_key: DiscoveryKey,
    proof: Inner,
}

impl Serialize for RemoteProof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let StandaloneProof { discovery_key, proof } = self.as_inner().clone();
        RemoteForm { discovery_key, proof }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RemoteProof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let RemoteForm { discovery_key, proof } = RemoteForm::deserialize(deserializer)?;
        Ok(Self::new(StandaloneProof { discovery_key, proof }))
    }
}
