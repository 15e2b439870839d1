//! The fields of interest of one head.

use super::hpack::Name;
use crate::protocol::http::head::Head;

/// Longest cookies that are read, bytes.
const MAX_COOKIE: usize = 16 << 10;

/// Longer texts are dropped where the budget does not suffice for them, bytes.
const SHORT: usize = 64;

/// The fields of one head; its allocations are reused for the next one.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) protocol: String,
    pub(super) status: String,
    pub(super) server: String,
    pub(super) content_type: String,
    pub(super) extensions: String,
    pub(super) grpc_encoding: String,
    authority: String,
    host: String,
    authorization: String,
    cookie: String,
    content_disposition: String,
    content_encoding: String,
    pub(super) content_length: String,
    content_range: String,
    etag: String,
    last_modified: String,
    proxy_authorization: String,
    api_key: bool,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        for text in self.all() {
            text.clear();
        }
        self.api_key = false;
    }

    /// Bytes of all texts.
    pub(super) fn len(&mut self) -> usize {
        self.all().iter().map(|text| text.len()).sum()
    }

    /// Drops long texts.
    pub(super) fn drop_long(&mut self) {
        self.all().into_iter().filter(|text| text.len() > SHORT).for_each(|text| text.clear());
    }

    fn all(&mut self) -> [&mut String; 19] {
        [
            &mut self.method,
            &mut self.path,
            &mut self.protocol,
            &mut self.status,
            &mut self.server,
            &mut self.content_type,
            &mut self.extensions,
            &mut self.grpc_encoding,
            &mut self.authority,
            &mut self.host,
            &mut self.authorization,
            &mut self.cookie,
            &mut self.content_disposition,
            &mut self.content_encoding,
            &mut self.content_length,
            &mut self.content_range,
            &mut self.etag,
            &mut self.last_modified,
            &mut self.proxy_authorization,
        ]
    }

    pub(super) fn take(&mut self, name: Name, value: &[u8]) {
        let slot = match name {
            Name::Authority => &mut self.authority,
            Name::Method => &mut self.method,
            Name::Path => &mut self.path,
            Name::Protocol => &mut self.protocol,
            Name::Status => &mut self.status,
            Name::Authorization => &mut self.authorization,
            Name::ContentDisposition => &mut self.content_disposition,
            Name::ContentEncoding => &mut self.content_encoding,
            Name::ContentType => &mut self.content_type,
            Name::GrpcEncoding => &mut self.grpc_encoding,
            Name::Host => &mut self.host,
            Name::Extensions => &mut self.extensions,
            Name::Server => &mut self.server,
            Name::Cookie => {
                // RFC 9113 8.2.3: cookies may come in separate fields.
                if self.cookie.len() + value.len() < MAX_COOKIE {
                    self.cookie.push_str("; ");
                    self.cookie.push_str(&String::from_utf8_lossy(value));
                }
                return;
            }
            Name::ContentLength => &mut self.content_length,
            Name::ContentRange => &mut self.content_range,
            Name::Etag => &mut self.etag,
            Name::LastModified => &mut self.last_modified,
            Name::ProxyAuthorization => &mut self.proxy_authorization,
            Name::ApiKey => {
                self.api_key |= !value.is_empty();
                return;
            }
            Name::Other => return,
        };
        slot.clear();
        slot.push_str(&String::from_utf8_lossy(value));
    }

    pub(super) fn host(&self) -> &str {
        if self.authority.is_empty() { &self.host } else { &self.authority }
    }

    /// As HTTP/1.x has it.
    pub(super) fn head(&self) -> Head<'_> {
        Head {
            content_type: &self.content_type,
            content_encoding: &self.content_encoding,
            content_disposition: &self.content_disposition,
            authorization: &self.authorization,
            cookie: &self.cookie,
            content_range: &self.content_range,
            etag: &self.etag,
            last_modified: &self.last_modified,
            grpc_encoding: &self.grpc_encoding,
            proxy_authorization: &self.proxy_authorization,
            api_key: self.api_key,
            ..Head::default()
        }
    }

    pub(super) fn memory(&self) -> usize {
        let Self { path, cookie, authorization, .. } = self;
        path.capacity() + cookie.capacity() + authorization.capacity()
    }
}
