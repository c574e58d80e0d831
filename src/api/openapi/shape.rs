//! Shapes of JSON, written in short: `id: uuid, name: text?, kinds: [one|two], source?: Source`.
//!
//! A `?` behind a type lets it be null, one behind a member's name lets it be missing. A name with a capital is that of another shape;
//! a `scalar` is a text, a number or null.

use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, OneOfBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{ObjectBuilder, Ref, RefOr, Schema};

/// Shapes by their names.
pub type Shapes = Vec<(&'static str, RefOr<Schema>)>;

/// An object with these members; it may get others.
pub fn object(members: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let pairs = members.split(", ").filter_map(|one| one.split_once(": "));
    let object = pairs.fold(object, |object, (name, of)| match name.strip_suffix('?') {
        Some(name) => object.property(name, shape(of)),
        None => object.property(name, shape(of)).required(name),
    });
    object.into()
}

/// An object that has more members than are told here.
pub fn loosely(members: &str) -> RefOr<Schema> {
    let mut shape = object(members);
    if let RefOr::T(Schema::Object(own)) = &mut shape {
        own.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(true)));
    }
    shape
}

/// One value.
pub fn shape(text: &str) -> RefOr<Schema> {
    if let Some(text) = text.strip_suffix('?') {
        return or_null(shape(text));
    }
    if let Some(of) = text.strip_prefix('[') {
        let list = ArrayBuilder::new().items(shape(of.trim_end_matches(']')));
        return RefOr::T(list.build().into());
    }
    let of = |own: Type| ObjectBuilder::new().schema_type(own);
    let formatted = |format: &str| {
        let format = SchemaFormat::Custom(format.to_owned());
        of(Type::String).format(Some(format))
    };
    let plain = match text {
        "text" => of(Type::String),
        "flag" => of(Type::Boolean),
        "count" => of(Type::Integer).minimum(Some(0)),
        "object" => of(Type::Object),
        "time" | "uuid" => formatted(if text == "time" { "date-time" } else { text }),
        "any" => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
        "scalar" => {
            let types = [Type::String, Type::Number, Type::Null];
            ObjectBuilder::new().schema_type(SchemaType::from_iter(types))
        }
        choice if choice.contains('|') => of(Type::String).enum_values(Some(choice.split('|'))),
        name => return Ref::from_schema_name(name).into(),
    };
    plain.into()
}

fn or_null(mut shape: RefOr<Schema>) -> RefOr<Schema> {
    if let RefOr::T(Schema::Object(own)) = &mut shape
        && let SchemaType::Type(only) = own.schema_type.clone()
    {
        own.schema_type = SchemaType::from_iter([only, Type::Null]);
        return shape;
    }
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(shape).item(null).into()
}
