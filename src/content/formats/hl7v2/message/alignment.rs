//! PID segments with a field too many or too few, as people and simple programs write them: the name, the birth date and
//! the sex, which follow each other as PID-5, 7 and 8, show by how many.

use super::Fields;

/// PID-3, 5, 7 and 8.
const ID: usize = 3;
const NAME: usize = 5;
const BIRTH: usize = 7;
const SEX: usize = 8;
/// Fields that may be missing in front, or too many.
const MISSING: usize = 3;
const SURPLUS: usize = 2;

/// Puts the fields of a PID segment where they belong.
pub fn align(fields: &mut Fields<'_>, component: char) {
    // Nearly all segments are as they should be.
    let get = |n: usize| fields.get(n).copied().unwrap_or("").trim();
    let named = get(NAME).bytes().any(|b| !b.is_ascii_digit());
    if named && !get(BIRTH).is_empty() || fields.len() <= NAME {
        return;
    }
    let fits = |name: usize| {
        let get = |n: usize| fields.get(n).copied().unwrap_or("").trim();
        is_name(get(name), component)
            && is_date(get(name + BIRTH - NAME))
            && is_sex(get(name + SEX - NAME))
    };
    if let Some(missing) = (1..=MISSING).find(|missing| fits(NAME - missing)) {
        // Behind the number of the patient, if that is in its place.
        let kept = fields.get(ID).is_some_and(|id| id.bytes().any(|b| b.is_ascii_digit()));
        let at = if kept && NAME - missing > ID { ID + 1 } else { 1 };
        for _ in 0..missing {
            fields.insert(at, "");
        }
    } else if let Some(surplus) = (1..=SURPLUS).find(|surplus| fits(NAME + surplus)) {
        for _ in 0..surplus {
            // An empty one.
            let empty = (1..NAME + 1).rev().find(|n| fields.get(*n).is_some_and(|f| f.is_empty()));
            fields.remove(empty.unwrap_or(NAME));
        }
    }
}

/// Whether a field has the form of a name of components.
fn is_name(text: &str, component: char) -> bool {
    text.contains(component)
        && text.chars().any(char::is_alphabetic)
        && !text.contains(|c: char| c.is_ascii_digit())
}

/// Whether a field has the form of a date, `YYYYMMDD` and perhaps a time.
fn is_date(text: &str) -> bool {
    (8..=14).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Table 0001.
fn is_sex(text: &str) -> bool {
    matches!(text, "M" | "F" | "U" | "O" | "A" | "N")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::formats::hl7v2::value::split;

    #[test]
    fn fields_are_put_where_they_belong() {
        let right = "PID|1||77||Roe^Eva||19700131|F|x";
        for (segment, expected) in [
            (right, right),
            ("PID|1||77|Roe^Eva||19700131|F|x", right),
            ("PID|77||Roe^Eva||19700131|F|x", "PID|||77||Roe^Eva||19700131|F|x"),
            ("PID||77||Roe^Eva||19700131|F|x", "PID|||77||Roe^Eva||19700131|F|x"),
            ("PID|1||77|||Roe^Eva||19700131|F|x", right),
            ("PID|1||77|||Doe^Ann|19700131|F|x", "PID|1||77|||Doe^Ann|19700131|F|x"),
            ("PID|1||77", "PID|1||77"),
            ("PID|1||77||||19700131|F", "PID|1||77||||19700131|F"),
        ] {
            let mut fields: Fields<'_> = split(segment, '|', 64);
            align(&mut fields, '^');
            assert_eq!(fields.join("|"), expected, "{segment}");
        }
    }
}
