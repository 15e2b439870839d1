//! How streams of serialised objects begin.

/// `STREAM_MAGIC` and `STREAM_VERSION` (Java Object Serialization Specification 6.4.2).
pub const JAVA_OBJECTS: &[u8] = &[0xac, 0xed, 0, 5];

/// The header of `BinaryFormatter` with its usual numbers: root 1, no header object, version 1.0 (MS-NRBF 2.6.1).
pub const DOTNET_OBJECTS: &[u8] = &[0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0];
