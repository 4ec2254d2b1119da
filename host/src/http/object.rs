//! Types with fields are written as objects, and as nothing else.
//!
//! What serde derives for such a type also takes an array of the values of its fields, in their order. Nobody means that, and
//! an array that is sent by mistake must not pass for a request that names nothing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A `T` that was written as an object.
#[derive(Debug, Clone, Copy)]
pub struct Object<T>(pub T);

struct OfObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OfObject(PhantomData)).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OfObject<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// For a field that may be an object or `null`.
///
/// # Errors
/// It is neither, or not this object.
pub fn object<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// For a field that may be a list of objects or `null`.
///
/// # Errors
/// It is neither, or one of them is not this object.
pub fn objects<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let objects = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(objects.map(|objects| objects.into_iter().map(|Object(value)| value).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        name: Option<String>,
        #[serde(deserialize_with = "objects")]
        list: Option<Vec<Sample>>,
        #[serde(deserialize_with = "object")]
        one: Option<Box<Sample>>,
    }

    fn read(json: &str) -> Result<Sample, Option<String>> {
        let read = parse::<Object<Sample>>(json).map(|Object(sample)| sample);
        read.map_err(|problem| problem.pointer().map(str::to_owned))
    }

    #[test]
    fn an_array_of_fields_is_no_object_wherever_it_stands() {
        assert_eq!(read(r#"{"list":[{"name":"a"}],"one":{}}"#).unwrap().list.unwrap().len(), 1);
        assert_eq!(read(r#"{"list":null,"one":null}"#), Ok(Sample::default()));
        for (json, pointer) in [
            (r#"["a"]"#, ""),
            ("[]", ""),
            ("null", ""),
            (r#"{"list":[{},["a"]]}"#, "/list/1"),
            (r#"{"one":["a"]}"#, "/one"),
            (r#"{"list":[{"nmae":"a"}]}"#, "/list/0/nmae"),
        ] {
            assert_eq!(read(json), Err(Some(pointer.to_owned())), "{json}");
        }
    }
}
