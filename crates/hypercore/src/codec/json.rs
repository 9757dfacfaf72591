//! Values as JSON.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Codec;
use crate::encryption::BoxError;

/// Values as JSON without white space, as JavaScript's `json` encoding has them. Each block is one value.
pub struct Json<T>(PhantomData<fn(T) -> T>);

impl<T> Json<T> {
    /// The codec.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Serialize + DeserializeOwned> Codec for Json<T> {
    type Item = T;
    type Input = T;

    fn encode(&self, item: &T) -> Result<Bytes, BoxError> {
        Ok(serde_json::to_vec(item)?.into())
    }

    fn decode(&self, block: Bytes) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(&block)?)
    }
}

impl<T> Default for Json<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Json<T> {}

impl<T> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json")
    }
}
