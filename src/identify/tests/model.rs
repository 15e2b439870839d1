//! The index of patients against a model that goes through all of them.

use super::*;
use proptest::prelude::*;

/// A person as the model sees one: plain values, no tokens, no index.
#[derive(Clone, Debug, Default)]
struct Person {
    ids: Vec<(Kind, u8, u8)>,
    names: Vec<u8>,
    births: Vec<u8>,
}

impl Person {
    /// The words of a name by number.
    fn words(name: u8) -> std::str::Split<'static, char> {
        NAMES[name as usize].trim_end_matches('^').split('^')
    }
    fn whole(name: u8) -> bool {
        Self::words(name).count() > 1
    }
    fn has_whole(&self) -> bool {
        self.names.iter().any(|n| Self::whole(*n))
    }
    /// `other`'s names are all known here, single words also as part of a whole name.
    fn covers(&self, other: &Self) -> bool {
        other.names.iter().all(|o| {
            self.names.contains(o)
                || (!Self::whole(*o)
                    && self.names.iter().any(|n| Self::words(*n).any(|w| Self::words(*o).eq([w]))))
        })
    }
    fn names_apart(&self, other: &Self) -> bool {
        let whole =
            |p: &Self| p.names.iter().copied().filter(|n| Self::whole(*n)).collect::<Vec<_>>();
        match (whole(self).is_empty(), whole(other).is_empty()) {
            (false, false) => Self::apart(&whole(self), &whole(other)),
            (true, true) => Self::apart(&self.names, &other.names),
            _ => false,
        }
    }
    fn apart<T: PartialEq>(a: &[T], b: &[T]) -> bool {
        !a.is_empty() && !b.is_empty() && a.iter().all(|x| !b.contains(x))
    }
    fn equal(a: (Kind, u8, u8), b: (Kind, u8, u8)) -> bool {
        // There is but one issuer of social security numbers.
        a.0 == b.0 && a.1 == b.1 && (a.0 == Ssn || a.2 == 0 || b.2 == 0 || a.2 == b.2)
    }
    fn own(id: (Kind, u8, u8)) -> bool {
        id.0 != InsuranceNumber
    }
    fn shares(&self, other: &Self) -> bool {
        self.ids.iter().any(|a| other.ids.iter().any(|b| Self::own(*a) && Self::equal(*a, *b)))
    }
    fn ids_differ(&self, other: &Self, any_issuer: bool) -> bool {
        let differ = |a: &(Kind, u8, u8), b: &(Kind, u8, u8)| {
            a.0 == b.0 && a.1 != b.1 && (any_issuer || a.0 == Ssn || a.2 == b.2)
        };
        !self.shares(other) && self.ids.iter().any(|a| other.ids.iter().any(|b| differ(a, b)))
    }
    fn own_ids_differ(&self, other: &Self) -> bool {
        let differ = |a: &(Kind, u8, u8), b: &(Kind, u8, u8)| {
            a.0 == b.0 && Self::own(*a) && !Self::equal(*a, *b)
        };
        !self.shares(other) && self.ids.iter().any(|a| other.ids.iter().any(|b| differ(a, b)))
    }
    /// The rules of `patients.rs`, one id, name or date of the record after the other.
    fn find(known: &[Self], record: &Self) -> Option<usize> {
        for id in &record.ids {
            let fits = |p: &Self| {
                let names = p.names_apart(record);
                let births = Self::apart(&p.births, &record.births);
                p.ids.iter().any(|i| Self::equal(*i, *id))
                    && if Self::own(*id) {
                        !(names && births)
                    } else {
                        !names && !births && !p.own_ids_differ(record)
                    }
            };
            if let Some(i) = known.iter().position(fits) {
                return Some(i);
            }
        }
        for name in &record.names {
            for birth in &record.births {
                let fits = |p: &Self| {
                    let named =
                        if Self::whole(*name) { p.names.contains(name) } else { p.covers(record) };
                    named && p.births.contains(birth) && !p.ids_differ(record, false)
                };
                if let Some(i) = known.iter().position(fits) {
                    return Some(i);
                }
            }
        }
        for name in record.names.iter().filter(|n| Self::whole(**n)) {
            for birth in &record.births {
                for word in Self::words(*name) {
                    let fits = |p: &Self| {
                        !p.has_whole()
                            && p.names.iter().any(|n| Self::words(*n).eq([word]))
                            && record.covers(p)
                            && p.births.contains(birth)
                            && !p.ids_differ(record, false)
                    };
                    if let Some(i) = known.iter().position(fits) {
                        return Some(i);
                    }
                }
            }
        }
        record.names.iter().find_map(|name| {
            known.iter().position(|p| {
                p.names.contains(name)
                    && (Self::whole(*name) || p.covers(record))
                    && !p.ids_differ(record, true)
                    && !Self::apart(&p.births, &record.births)
            })
        })
    }
    fn learn(&mut self, record: &Self) {
        for id in &record.ids {
            match self.ids.iter_mut().find(|i| Self::equal(**i, *id)) {
                Some(known) if known.2 == 0 => known.2 = id.2,
                Some(_) => {}
                None => self.ids.push(*id),
            }
        }
        for name in &record.names {
            if !self.names.contains(name) {
                self.names.push(*name);
            }
        }
        for birth in &record.births {
            if !self.births.contains(birth) {
                self.births.push(*birth);
            }
        }
    }
}

/// In the alphabetical order of the normal form, which is the order in which words are tried.
const NAMES: [&str; 6] = ["Ash^Eve", "Eve^Oak", "Elm^Ida", "Ash", "Eve^", "Oak"];

const KINDS: [Kind; 4] = [PatientId, Ssn, InsuranceNumber, Kind::NationalId];

fn value(kind: Kind, n: u8) -> String {
    match kind {
        Ssn => format!("536-90-43{n:02}"),
        _ => format!("AB{n:05}"),
    }
}

fn record() -> impl Strategy<Value = Person> {
    let id = (0..KINDS.len(), 1u8..6, 0u8..3).prop_map(|(k, v, i)| (KINDS[k], v, i));
    (
        prop::collection::vec(id, 0..3),
        prop::collection::vec(0u8..6, 0..3),
        prop::collection::vec(1u8..4, 0..2),
    )
        .prop_map(|(ids, names, births)| {
            // A record holds a value once.
            let mut once = Person::default();
            once.learn(&Person { ids, names, births });
            once
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_index_finds_whom_the_model_finds(records in prop::collection::vec(record(), 1..24)) {
        const ISSUERS: [&str; 3] = ["", "North", "South"];
        let mut flow = Flow::new();
        let mut known: Vec<Person> = Vec::new();
        for record in &records {
            if record.ids.is_empty() && record.names.is_empty() {
                continue; // below the policy
            }
            let found = Person::find(&known, record);
            let index = found.unwrap_or_else(|| {
                known.push(Person::default());
                known.len() - 1
            });
            known[index].learn(record);

            let before = flow.patients.len();
            let values: Vec<_> =
                record.ids.iter().map(|(k, v, i)| (*k, value(*k, *v), ISSUERS[*i as usize])).collect();
            let births: Vec<_> = record.births.iter().map(|b| format!("195901{b:02}")).collect();
            // Something new each time, so that each record makes a finding.
            let phone = format!("{}", 5_550_100 + flow.counters.records);
            let mut fields: Vec<(Kind, &str, &str)> =
                values.iter().map(|(k, v, i)| (*k, v.as_str(), *i)).collect();
            fields.extend(record.names.iter().map(|n| (Name, NAMES[*n as usize], "")));
            fields.extend(births.iter().map(|b| (BirthDate, b.as_str(), "")));
            fields.push((Phone, &phone, ""));
            flow.issued(&fields);

            let finding = flow.out.last().expect("a finding for each record");
            prop_assert_eq!(finding.ordinal as usize, index);
            prop_assert_eq!(finding.update, found.is_some());
            prop_assert_eq!(flow.patients.len() > before, found.is_none());
        }
    }
}
