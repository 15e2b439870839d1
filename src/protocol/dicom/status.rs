//! Status codes of responses (PS3.7 annex C; PS3.4 annexes B, C, H, J, K for those of a service).

/// The class of a status.
pub(super) const fn class(status: u16) -> &'static str {
    match status {
        0x0000 => "success",
        0xFF00 | 0xFF01 => "pending",
        0xFE00 => "cancel",
        0x0001 | 0x0107 | 0x0116 | 0xB000..=0xBFFF => "warning",
        0x0122 | 0x0124 | 0xA700..=0xA7FF | 0xA801 => "refused",
        _ => "failure",
    }
}

/// Reason of a failure or refusal. The error comment is left out: it may contain anything.
pub(super) const fn reason(status: u16) -> Option<&'static str> {
    Some(match status {
        0x0105 => "no-such-attribute",
        0x0106 => "invalid-attribute-value",
        0x0110 => "processing-failure",
        0x0111 => "duplicate-instance",
        0x0112 => "no-such-instance",
        0x0117 => "invalid-instance",
        0x0118 => "no-such-class",
        0x0120 => "missing-attribute",
        0x0122 => "sop-class-not-supported",
        0x0124 => "not-authorized",
        0x0210 => "duplicate-invocation",
        0x0211 => "unrecognized-operation",
        0x0212 => "mistyped-argument",
        0x0213 => "resource-limitation",
        0xA700..=0xA7FF => "out-of-resources",
        0xA801 => "move-destination-unknown",
        0xA900..=0xA9FF => "data-set-does-not-match-class",
        0xC000..=0xCFFF => "unable-to-process",
        _ => match class(status).as_bytes() {
            b"failure" | b"refused" => "other",
            _ => return None,
        },
    })
}
