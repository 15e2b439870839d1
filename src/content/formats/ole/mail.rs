//! Mail that Outlook saved (MS-OXMSG): each property is a stream, each attachment a storage.

use super::container::Container;
use crate::content::Scope;
use crate::content::formats::mapi::Item;
use crate::content::stack::OPENING;

/// Levels of nested messages.
const MAX_MESSAGES: usize = 4;
/// Attachments per message.
const MAX_ATTACHMENTS: usize = 256;
/// Prefix of the id and the type of a property, in hexadecimal digits.
const PROPERTY: &str = "__substg1.0_";
/// An attachment, and the message in it, if it is one.
const ATTACHMENT: &str = "__attach_version1.0_";
const EMBEDDED: &str = "__substg1.0_3701000D";

/// Whether it is a message.
pub fn is_mail(container: &Container<'_>) -> bool {
    container.named(0, "__properties_version1.0").is_some()
}

/// Reads the message in a storage.
pub fn read(container: &Container<'_>, storage: usize, depth: usize, scope: &mut Scope<'_>) {
    // Storages may contain each other.
    if !scope.spend(OPENING + container.entries.len() as u64) {
        return;
    }
    item(container, storage, scope).read("msg", scope);
    let inside = container.inside(storage).into_iter();
    let attachment = |at: &usize| {
        container.entries.get(*at).is_some_and(|entry| entry.name.starts_with(ATTACHMENT))
    };
    for attachment in inside.filter(attachment).take(MAX_ATTACHMENTS) {
        item(container, attachment, scope).read("msg", scope);
        let embedded = container.inside(attachment).into_iter().find(|at| {
            container.entries.get(*at).is_some_and(|e| e.name.eq_ignore_ascii_case(EMBEDDED))
        });
        if let Some(embedded) = embedded
            && depth < MAX_MESSAGES
        {
            read(container, embedded, depth + 1, scope);
        }
    }
}

/// The properties in a storage.
fn item(container: &Container<'_>, storage: usize, scope: &mut Scope<'_>) -> Item {
    let mut item = Item::default();
    if !scope.spend(OPENING + container.entries.len() as u64) {
        return item;
    }
    for entry in container.inside(storage).into_iter().filter_map(|at| container.entries.get(at)) {
        let tag = entry.name.strip_prefix(PROPERTY).and_then(|t| u32::from_str_radix(t, 16).ok());
        let Some(tag) = tag.filter(|_| entry.is_stream()) else { continue };
        let (id, kind) = ((tag >> 16) as u16, tag as u16);
        if Item::is_wanted(id) {
            item.property(id, kind, &container.stream(entry, scope));
        }
    }
    item
}
