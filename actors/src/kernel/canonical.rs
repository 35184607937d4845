//! One form for documents that say the same.

use serde_json::Value;

use super::digest::sha256;

/// SHA-256, in hex, of the canonical JSON of a value: keys sorted, no blanks.
#[must_use]
pub fn canonical_hash(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    sha256(text)
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(members) => {
            out.push('[');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(member, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_order_or_blanks() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"y": null, "x": "é\n"}], "a": 1.0}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":1.0,"b":[1,{"x":"é\n","y":null}]}"#).unwrap();
        assert_eq!(canonical_hash(&one), canonical_hash(&two));
        assert_ne!(canonical_hash(&one), canonical_hash(&json!({"a": 1.0, "b": [1]})));
        let mut text = String::new();
        write_canonical(&one, &mut text);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), one);
    }
}
