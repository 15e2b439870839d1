//! The roles of members by their names, and what the members of an office document share.

use super::member::Member;
use super::prose::Prose;
use super::workbook::{Part, Workbook};
use crate::content::stack::{coding, media};
use crate::content::{Ending, Media, Nested, Scope};

/// State of an archive beside its open member.
pub(super) struct Office {
    /// Name of the archive itself in `phi.carrier`.
    layer: &'static str,
    /// The file name of the archive.
    path: Option<Box<str>>,
    /// A member declared an OpenDocument.
    open_document: bool,
    pub(super) workbook: Workbook,
}

impl Office {
    pub(super) fn new(layer: &'static str, path: Option<Box<str>>) -> Self {
        Self { layer, path, open_document: layer.starts_with("od"), workbook: Workbook::default() }
    }

    /// The reader of the member called `name`.
    pub(super) fn member(&mut self, name: &str, scope: &Scope<'_>) -> Member {
        if name.ends_with('/') {
            return Member::Passed;
        }
        let numbered = |before: &str| {
            let rest = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(".xml"));
            rest.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        };
        let word = ["word/document", "word/header", "word/footer", "word/footnotes"];
        if word.iter().chain(&["word/endnotes", "word/comments"]).any(|part| numbered(part)) {
            return self.prose("docx", scope);
        }
        if numbered("ppt/slides/slide") || numbered("ppt/notesSlides/notesSlide") {
            return self.prose("pptx", scope);
        }
        if name == "content.xml" && self.open_document {
            return self.prose(if self.layer == "ods" { "ods" } else { "odt" }, scope);
        }
        let sheet = name.strip_prefix("xl/worksheets/");
        let part = match name {
            "xl/sharedStrings.xml" => Some(Part::strings()),
            "xl/styles.xml" => Some(Part::styles()),
            _ => sheet.filter(|n| n.ends_with(".xml") && !n.contains('/')).map(|_| Part::sheet()),
        };
        if let Some(part) = part {
            return Member::Workbook(Box::new(part));
        }
        self.open_document |= name == "mimetype";
        // Internal parts of office documents.
        let own = ["word/", "xl/", "ppt/", "docProps/", "_rels/", "META-INF/", "customXml/"];
        let embedded = name.contains("/embeddings/");
        let machinery = own.iter().any(|folder| name.starts_with(folder))
            || name == "[Content_Types].xml"
            || (self.open_document && name.ends_with(".xml"));
        if machinery && !embedded {
            return Member::Passed;
        }
        Member::Content(Box::new(Nested::new(&Media::Type { content_type: "", name })), 0)
    }

    /// The reader of the member called `name`, compressed by `coding`. Programs compress parts of office documents by
    /// deflate only.
    pub(super) fn coded(&mut self, name: &str, coding: &str, scope: &Scope<'_>) -> Member {
        match self.member(name, scope) {
            Member::Content(..) => {
                let media = Media::Type { content_type: "", name };
                Member::Content(Box::new(coding::undo(&[coding], &media)), 0)
            }
            _ => Member::Passed,
        }
    }

    fn prose(&self, layer: &'static str, scope: &Scope<'_>) -> Member {
        let mut prose = Prose::new(layer);
        if let Some(path) = &self.path {
            prose.mark(media::about(path, scope));
        }
        Member::Prose(Box::new(prose), (layer != self.layer).then_some(layer))
    }

    /// The archive has ended.
    pub(super) fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let marks = self.path.as_ref().map(|path| media::about(path, scope)).unwrap_or_default();
        if self.layer == "xlsx" {
            self.workbook.end(marks, scope);
        } else {
            scope.within("xlsx", |scope| self.workbook.end(marks, scope));
        }
    }

    /// Bytes of heap held, roughly.
    pub(super) fn memory(&self) -> usize {
        self.workbook.memory()
    }
}
