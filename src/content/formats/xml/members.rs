//! Documents that name a value by a sibling element: property lists (`<key>mrn</key><string>H-77</string>`, plist(5)
//! of macOS), XML-RPC (`<member><name>mrn</name><value><string>H-77</string></value></member>`, the XML-RPC
//! specification), and maps as XStream writes those of Java (`<entry><string>mrn</string><string>H-77</string></entry>`).

use zeroize::Zeroizing;

/// Longest name of a value, bytes.
const MAX_NAME: usize = 256;

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Style {
    #[default]
    None,
    PropertyList,
    Rpc,
    Map,
}

/// Roots of maps of Java, by the names of their classes.
const MAPS: [&str; 7] = [
    "map",
    "linked-hash-map",
    "tree-map",
    "concurrent-hash-map",
    "hashtable",
    "properties",
    "serializedMap",
];

/// Name of the next value in such a document.
#[derive(Default)]
pub(super) struct Members {
    style: Style,
    name: Option<Zeroizing<String>>,
    /// A value of a map comes next; before it, its name.
    named: bool,
}

impl Members {
    /// The root of a document.
    pub(super) fn root(&mut self, name: &str) {
        self.style = match name {
            "plist" => Style::PropertyList,
            "methodCall" | "methodResponse" => Style::Rpc,
            name if MAPS.contains(&name) => Style::Map,
            _ => Style::None,
        };
    }

    /// Whether an element only gives the type of its content, or belongs to the enclosing element.
    pub(super) fn is_transparent(&mut self, name: &str) -> bool {
        if self.style == Style::Map && name == "entry" {
            self.named = false;
            return true;
        }
        self.style == Style::Rpc
            && matches!(
                name,
                "string"
                    | "int"
                    | "i4"
                    | "i8"
                    | "double"
                    | "boolean"
                    | "dateTime.iso8601"
                    | "struct"
                    | "member"
            )
    }

    /// Whether the text of an element is the name of the next value.
    pub(super) fn is_name(&self, name: &str) -> bool {
        match self.style {
            Style::PropertyList => name == "key",
            Style::Rpc => name == "name",
            Style::Map => !self.named && name == "string",
            Style::None => false,
        }
    }

    /// Notes the name of the next value.
    pub(super) fn set(&mut self, name: Zeroizing<String>) {
        self.named = true;
        self.name = Some(name).filter(|name| name.len() <= MAX_NAME);
    }

    /// The name of a value that begins, unless its element is its name.
    pub(super) fn take(&mut self, element: &str) -> Option<Zeroizing<String>> {
        if self.style == Style::None || self.is_name(element) {
            return None;
        }
        // A value in a list has no name, and is no part of an enclosing value.
        let unnamed = self.style == Style::Rpc && element == "value";
        self.name.take().or_else(|| unnamed.then(|| Zeroizing::new("struct".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    const JANE: &str =
        "http>xml:~xml [PatientContext] patient_id=H-77 name=Jane Roe birth_date=1970-01-31";
    const OTTO: &str =
        "http>xml:~xml [PatientContext] patient_id=H-78 name=Otto Penn birth_date=1950-05-03";

    fn sorted(media: &str, text: &str) -> Vec<String> {
        let mut read = records(media, text.as_bytes());
        read.sort();
        read
    }

    #[test]
    fn maps_of_java_name_their_values() {
        let entry = |name: &str, value: &str| {
            format!("<entry>\n<string>{name}</string>\n<string>{value}</string>\n</entry>\n")
        };
        let entries = [("mrn", "H-77"), ("patientName", "Jane Roe"), ("birthDate", "1970-01-31")]
            .map(|(name, value)| entry(name, value));
        let map = format!("<map>\n{}</map>", entries.concat());
        assert_eq!(records("application/xml", map.as_bytes()), [JANE]);
        let settings = format!("<map>{}{}</map>", entry("name", "birthDate"), entry("port", "77"));
        assert_eq!(records("application/xml", settings.as_bytes()), [""; 0]);
    }

    #[test]
    fn property_lists_name_their_values() {
        let dict = |id: &str, name: &str, birth: &str| {
            format!(
                "<dict><key>mrn</key><string>{id}</string><key>patientName</key><string>{name}</string><key>active</key><true/><key>birthDate</key><string>{birth}</string></dict>"
            )
        };
        let (jane, otto) =
            (dict("H-77", "Jane Roe", "1970-01-31"), dict("H-78", "Otto Penn", "1950-05-03"));
        let list = format!(
            "<?xml version=\"1.0\"?><plist version=\"1.0\"><array>{jane}\n{otto}</array></plist>"
        );
        assert_eq!(sorted("application/xml", &list), [JANE, OTTO]);
        let one = format!(
            "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>user</key>{jane}</dict></plist>"
        );
        assert_eq!(records("application/xml", one.as_bytes()).len(), 1);
        let menu = "<?xml version=\"1.0\"?><plist><dict><key>CFBundleName</key><string>Patient name</string><key>name</key><string>birthDate</string></dict></plist>";
        assert_eq!(records("application/xml", menu.as_bytes()), [""; 0]);
    }

    #[test]
    fn calls_of_procedures() {
        let member = |name: &str, value: &str| {
            format!("<member><name>{name}</name><value>{value}</value></member>")
        };
        let person = |id: &str, name: &str, birth: &str| {
            let id = member("mrn", &format!("<string>{id}</string>"));
            let name = member("patient_name", name);
            let birth = member("birth_date", &format!("<string>{birth}</string>"));
            format!("<value><struct>{id}{name}{birth}</struct></value>")
        };
        let (jane, otto) =
            (person("H-77", "Jane Roe", "1970-01-31"), person("H-78", "Otto Penn", "1950-05-03"));
        for call in [
            format!(
                "<methodCall><methodName>save</methodName><params><param>{jane}</param><param>{otto}</param></params></methodCall>"
            ),
            format!(
                "<methodResponse><params><param><value><array><data>{jane}{otto}</data></array></value></param></params></methodResponse>"
            ),
        ] {
            let call = format!("<?xml version=\"1.0\"?>{call}");
            assert_eq!(sorted("text/xml", &call), [JANE, OTTO], "{call}");
        }
        let nested = member("patient", &person("H-77", "Jane Roe", "1970-01-31"));
        let nested =
            nested.replace("<value><value>", "<value>").replace("</value></value>", "</value>");
        let nested = format!(
            "<?xml version=\"1.0\"?><methodCall><params><param><value><struct>{nested}</struct></value></param></params></methodCall>"
        );
        assert_eq!(records("text/xml", nested.as_bytes()), [JANE]);
    }
}
