//! What becomes of the values of a document: a tree like that of JSON, or the fields of HL7 v2 messages.

use crate::content::Scope;
use crate::content::extract::record::Marks;
use crate::content::extract::tree::Tree;
use crate::content::formats::hl7v2::FieldTree;

pub(super) enum Values {
    Tree(Box<Tree>),
    Fields(Box<FieldTree>),
}

impl Values {
    pub fn open(&mut self, mapping: bool) {
        match self {
            Self::Tree(tree) => tree.open(mapping),
            Self::Fields(fields) => fields.open(mapping),
        }
    }

    pub fn close(&mut self, scope: &mut Scope<'_>) {
        match self {
            Self::Tree(tree) => tree.close(scope),
            Self::Fields(fields) => fields.close(scope),
        }
    }

    pub fn key(&mut self, key: &str, scope: &mut Scope<'_>) {
        match self {
            Self::Tree(tree) => tree.key(key, scope),
            Self::Fields(fields) => fields.key(key),
        }
    }

    pub fn wants(&mut self) -> bool {
        match self {
            Self::Tree(tree) => tree.wants(),
            Self::Fields(_) => true,
        }
    }

    pub fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        match self {
            Self::Tree(tree) => tree.value(text, scope),
            Self::Fields(fields) => fields.value(text, scope),
        }
    }

    pub fn number(&mut self, text: &str, scope: &mut Scope<'_>) {
        match self {
            Self::Tree(tree) => tree.number(text, scope),
            Self::Fields(fields) => fields.value(text, scope),
        }
    }

    pub fn null(&mut self) {
        if let Self::Tree(tree) = self {
            tree.null();
        }
    }

    pub fn set_path(&mut self, path: &str, scope: &Scope<'_>) {
        if let Self::Tree(tree) = self {
            tree.set_path(path, scope);
        }
    }

    /// What the path and names say of the document.
    pub fn around(&self) -> Marks {
        match self {
            Self::Tree(tree) => tree.around,
            Self::Fields(_) => Marks::default(),
        }
    }

    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        match self {
            Self::Tree(tree) => tree.finish(scope),
            Self::Fields(fields) => fields.finish(scope),
        }
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        match self {
            Self::Tree(tree) => size_of::<Tree>() + tree.memory(),
            Self::Fields(fields) => size_of::<FieldTree>() + fields.memory(),
        }
    }
}
