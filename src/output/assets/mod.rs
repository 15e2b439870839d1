//! `--assets FILE`: the hosts and services that the traffic proves, written at the end of a run as JSON, as a table,
//! or as a graph of their connections.

mod inventory;
mod shapes;

#[cfg(test)]
mod tests;

use super::{Output, RunSummary};
use crate::exposure::{Conversation, Event, HostName};
use inventory::Inventory;
use std::io::{self, Write};
use std::path::Path;

/// Format of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One object with lists of hosts and services.
    Json,
    /// One row for each service, and for each host without one.
    Csv,
    /// Hosts as nodes, exposures as edges (GraphML 1.0).
    GraphMl,
}

impl Shape {
    /// By the suffix of a file's name; `None` for others.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "graphml" => Some(Self::GraphMl),
            _ => None,
        }
    }
}

/// Collects hosts and services, and writes them when the run ends.
pub struct Assets {
    writer: Box<dyn Write + Send>,
    shape: Shape,
    inventory: Inventory,
}

impl Assets {
    /// Writes to `writer` when the run ends.
    pub fn new(writer: Box<dyn Write + Send>, shape: Shape) -> Self {
        Self { writer, shape, inventory: Inventory::default() }
    }
}

impl Output for Assets {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.inventory.take(event);
        Ok(())
    }

    fn conversation(&mut self, of: &Conversation) -> io::Result<()> {
        self.inventory.conversation(of);
        Ok(())
    }

    fn named(&mut self, of: &HostName) -> io::Result<()> {
        self.inventory.named(of.host, &of.name);
        Ok(())
    }

    fn finish(&mut self, _: &RunSummary) -> io::Result<()> {
        self.inventory.name_hosts();
        let text = match self.shape {
            Shape::Json => shapes::json(&self.inventory)?,
            Shape::Csv => shapes::csv(&self.inventory),
            Shape::GraphMl => shapes::graphml(&self.inventory),
        };
        self.writer.write_all(text.as_bytes())?;
        self.writer.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
