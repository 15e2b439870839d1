//! Keys under which caches store values.

/// Longest part of a key that is looked at, bytes.
const MAX_KEY: usize = 256;

/// What a key says of its value, as a path: `patient:7` and `patient_7` are about a patient.
pub fn path(key: &[u8]) -> String {
    let head = key.get(..MAX_KEY).unwrap_or(key);
    String::from_utf8_lossy(head).replace([':', '.', '|'], "/")
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn parts_of_a_key_are_those_of_a_path() {
        assert_eq!(path(b"clinic:patient:7"), "clinic/patient/7");
        assert_eq!(path(&[b'k'; 1000]).len(), super::MAX_KEY);
    }
}
