//! From arguments to configuration, to a run, to the exit status.

use phitap::cli::{Cli, RulesAction, Task, completions, exit, man};
use phitap::config::{Config, LogFormat};
use phitap::pipeline::{self, Companion, RunError, terminal_width, wall_clock};
use phitap::review::{Answer, Console, Request, answer};
use phitap::{doctor, identify, output, review, rules};
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Every message allocates and frees small blocks; this allocator serves them from per-thread
/// lists.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    phitap::guard::install();
    let cli = Cli::read();
    if cli.ends_with().is_some_and(|parent| !phitap::guard::end_with(parent)) {
        return ExitCode::from(exit::FAILED);
    }
    let status = match Task::try_from(cli) {
        Ok(task) => perform(task),
        Err(error) => {
            complain(&error);
            error.exit_status()
        }
    };
    ExitCode::from(status)
}

fn perform(task: Task) -> u8 {
    match task {
        Task::Run(config) => {
            pipeline::set_log_format(config.log_format);
            log(config.verbose, config.log_format);
            run(&config)
        }
        Task::Doctor { config, json } => {
            log(config.verbose, config.log_format);
            examine(&config, json)
        }
        Task::Report { from, output } => report(&from, output.as_deref()).unwrap_or_else(|error| {
            complain(&error);
            exit::FAILED
        }),
        Task::Rules { action, rules } => {
            show_rules(&action, rules.as_deref()).unwrap_or_else(|error| {
                complain(&error);
                exit::FAILED
            })
        }
        Task::Review(request) => review(&request),
        #[cfg(all(feature = "nats", feature = "store"))]
        Task::Hub(settings) => match phitap::hub::run(&settings) {
            Ok(()) => exit::DONE,
            Err(error) => {
                complain(&error);
                exit::FAILED
            }
        },
        #[cfg(feature = "nats")]
        Task::Publish(publish) => match phitap::distribution::publish(&publish) {
            Ok(version) => print(|out| writeln!(out, "published as version {version}")),
            Err(error) => {
                complain(&error);
                exit::FAILED
            }
        },
        #[cfg(feature = "nats")]
        Task::Follow(follow) => match phitap::distribution::follow(&follow) {
            Ok(()) => exit::DONE,
            Err(error) => {
                complain(&error);
                exit::FAILED
            }
        },
        #[cfg(feature = "nats")]
        Task::Jobs(task) => jobs(&task).unwrap_or_else(|error| {
            complain(&error);
            exit::FAILED
        }),
        #[cfg(feature = "nats")]
        Task::Work(work) => match phitap::jobs::work(&work) {
            Ok(()) => exit::DONE,
            Err(error) => {
                complain(&error);
                if error.is_usage() { exit::USAGE } else { exit::FAILED }
            }
        },
        Task::Interfaces => {
            print(|out| out.write_all(pipeline::interfaces_table().as_bytes()));
            complain(&"choose the interfaces to watch with -i");
            exit::USAGE
        }
        Task::Completions(shell) => print(|out| completions(shell, out)),
        Task::Man => print(man),
    }
}

#[cfg(feature = "nats")]
fn companion(config: &Config) -> Result<Option<Companion>, impl std::error::Error> {
    phitap::distribution::companion(config)
}

/// Without the feature there is no companion, and no option that needs one.
#[cfg(not(feature = "nats"))]
fn companion(_: &Config) -> Result<Option<Companion>, io::Error> {
    Ok(None)
}

fn run(config: &Config) -> u8 {
    let companion = match companion(config) {
        Ok(companion) => companion,
        Err(error) => {
            complain(&error);
            return exit::FAILED;
        }
    };
    match pipeline::run_with(config, companion) {
        // What was not written may have been an exposure of that severity.
        Ok(outcome) if outcome.closed_pipe && config.fail_on.is_some() => exit::PARTIAL,
        Ok(outcome) if outcome.closed_pipe => exit::DONE,
        Ok(outcome) if config.fail_on.is_some_and(|least| outcome.worst >= Some(least)) => {
            exit::FOUND
        }
        // Treated like a capture whose header cannot be read.
        Ok(outcome) if outcome.summary.is_unreadable() => exit::FAILED,
        Ok(outcome) if outcome.summary.is_partial() => exit::PARTIAL,
        Ok(_) => exit::DONE,
        // Each input was reported already.
        Err(RunError::NoInput) => exit::FAILED,
        Err(error) => {
            complain(&error);
            if error.is_usage() { exit::USAGE } else { exit::FAILED }
        }
    }
}

fn examine(config: &Config, json: bool) -> u8 {
    let all = doctor::examine(config);
    let text = if json { doctor::json(&all) } else { doctor::text(&all, terminal_width()) };
    let printed = print(|out| out.write_all(text.as_bytes()));
    if doctor::worst(&all) == doctor::Verdict::Fault { exit::FAILED } else { printed }
}

fn report(
    from: &std::path::Path,
    output: Option<&std::path::Path>,
) -> Result<u8, Box<dyn std::error::Error>> {
    if output.is_none() && io::stdout().is_terminal() {
        complain(&"a report is a page of HTML: write it to a file with --output FILE.html");
        return Ok(exit::USAGE);
    }
    let (page, faults) = review::report(from, wall_clock())?;
    let mut sink: Box<dyn io::Write> = match output {
        Some(path) => Box::new(output::WholeFile::new(path, "--output")?),
        None => Box::new(Until(Some(io::stdout().lock()))),
    };
    let written = sink.write_all(page.as_bytes()).and_then(|()| sink.flush());
    written.map_err(|source| output::WriteError::new("standard output", source))?;
    faults.iter().for_each(|fault| complain(fault));
    Ok(if faults.is_empty() { exit::DONE } else { exit::PARTIAL })
}

/// Log lines describe flows and the run, never payloads: `-v` for the run, `-vv` for each flow.
fn log(verbose: u8, format: LogFormat) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    // The broker client's messages about connections are also reported here, in one line with the
    // remedy.
    let ours = filter_fn(move |line| verbose >= 2 || !line.target().starts_with("async_nats"));
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    match format {
        LogFormat::Human => lines.finish().with(ours).init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().with(ours).init(),
    }
}

fn show_rules(action: &RulesAction, dir: Option<&std::path::Path>) -> Result<u8, rules::LoadError> {
    let rules = match action {
        RulesAction::Check => identify::load_rules(dir)?,
        _ => rules::RuleSet::load(dir)?,
    };
    Ok(match action {
        RulesAction::List => {
            print(|out| out.write_all(rules::list_table(&rules, terminal_width()).as_bytes()))
        }
        RulesAction::Show { id } => match review::rule(&rules, id, terminal_width()) {
            Some(text) => print(|out| out.write_all(text.as_bytes())),
            None => {
                complain(&format!("there is no rule {id:?}; see phitap rules list"));
                exit::FAILED
            }
        },
        #[cfg(feature = "nats")]
        RulesAction::Publish(_) | RulesAction::Follow(_) => exit::USAGE,
        RulesAction::Check => {
            print(|out| out.write_all(rules::check_text(&rules, wall_clock()).as_bytes()))
        }
        RulesAction::Test => {
            let failures = identify::test_samples(&rules);
            let text = identify::samples_text(&rules, &failures);
            let printed = print(|out| out.write_all(text.as_bytes()));
            if failures.is_empty() { printed } else { exit::FAILED }
        }
    })
}

fn review(request: &Request) -> u8 {
    let mut out = io::BufWriter::new(Until(Some(io::stdout().lock())));
    let console = &mut Console::new(&mut out, terminal_width());
    let answered = answer(request, wall_clock(), console, &mut |note| complain(&note))
        .and_then(|answer| out.flush().map(|()| answer).map_err(Into::into));
    match answered {
        Ok(Answer::Done) => exit::DONE,
        Ok(Answer::Partial) => exit::PARTIAL,
        Ok(Answer::Found) => exit::FOUND,
        Err(error) => {
            complain(&error);
            exit::FAILED
        }
    }
}

/// Writes until the reader goes away (`phitap diff ... | head`), and nothing after that: the exit status is that of the
/// answer, whether it was read to its end or not.
struct Until<W>(Option<W>);

impl<W: io::Write> Until<W> {
    fn write_with<T>(
        &mut self,
        closed: T,
        write: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(to) = &mut self.0 else { return Ok(closed) };
        match write(to) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(closed)
            }
            written => written,
        }
    }
}

impl<W: io::Write> io::Write for Until<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_with(bytes.len(), |to| to.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_with((), io::Write::flush)
    }
}

#[cfg(feature = "nats")]
fn jobs(task: &phitap::cli::JobsTask) -> Result<u8, phitap::jobs::JobError> {
    use phitap::cli::JobsTask;
    let mut out = io::BufWriter::new(Until(Some(io::stdout().lock())));
    let whole = match task {
        JobsTask::Submit(submit) => phitap::jobs::submit(submit, &mut out).map(|()| true)?,
        JobsTask::Status(ask) => phitap::jobs::status(ask, &mut out)?,
        JobsTask::Clear(clear) => phitap::jobs::clear(clear, &mut out).map(|()| true)?,
        JobsTask::Result(ask) => {
            let console = &mut Console::new(&mut out, terminal_width());
            phitap::jobs::result(ask, console, &mut |note| complain(&note))? == Answer::Done
        }
    };
    match out.flush() {
        Ok(()) if whole => Ok(exit::DONE),
        Ok(()) => Ok(exit::PARTIAL),
        Err(error) => Err(error.into()),
    }
}

fn print(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> u8 {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => exit::DONE,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
        Err(error) => {
            complain(&error);
            exit::FAILED
        }
    }
}

fn complain(error: &dyn std::fmt::Display) {
    // If standard error is closed, the message is lost.
    let _ = writeln!(io::stderr(), "phitap: {}", pipeline::escaped(&error.to_string()));
}
