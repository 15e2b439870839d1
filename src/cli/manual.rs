//! Shell completions and the manual page, generated from the parser's own structs.

use super::Cli;
use clap::CommandFactory as _;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::io::{self, Write};

/// Writes the completion script for `shell`.
///
/// # Errors
/// Writing to `to` failed.
pub fn completions(shell: clap_complete::Shell, to: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    // Into memory first, because the generator panics on write errors.
    clap_complete::generate(shell, &mut Cli::command(), "phitap", &mut script);
    to.write_all(&script)
}

/// Writes the manual page (roff) with the options of every command.
///
/// # Errors
/// Writing to `to` failed.
pub fn man(to: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command();
    command.build();
    let page = Man::new(command.clone()).section("1").manual("phitap");
    page.render_title(to)?;
    page.render_name_section(to)?;
    page.render_synopsis_section(to)?;
    page.render_description_section(to)?;
    for sub in command.get_subcommands() {
        if sub.get_name() == "help" {
            continue;
        }
        let mut heading = Roff::default();
        heading.control("SH", [format!("phitap {}", sub.get_name()).to_uppercase().as_str()]);
        heading.text([roman(sub.get_about().map(ToString::to_string).unwrap_or_default())]);
        heading.to_writer(to)?;
        let mut options = Vec::new();
        Man::new(sub.clone()).render_options_section(&mut options)?;
        // One heading per command is enough.
        let options = String::from_utf8_lossy(&options).replacen(".SH OPTIONS\n", "", 1);
        let options = options.replace(".SH ", ".SS ");
        to.write_all(options.as_bytes())?;
    }
    page.render_extra_section(to)?;
    page.render_version_section(to)
}
