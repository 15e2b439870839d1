//! The system calls that a sensor may make (seccomp(2)). Others fail with ENOSYS, as on a kernel
//! without them. Libraries then fall back to older calls, which they would not do after EPERM.
//!
//! There are two lists. The sensor reads packets, reopens interfaces, writes files, and talks to
//! receivers, resolvers and browsers. A thread that parses untrusted data may only compute and
//! wait: it cannot open files or connections, or create threads.

use libc::c_long;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use std::collections::BTreeMap;

/// What is restricted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// The process, with all threads it creates from now on.
    Sensor,
    /// This thread, further than the process.
    Parser,
}

/// Why calls cannot be restricted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Missing {
    /// There are no lists for this processor.
    Processor,
    /// The kernel has no seccomp, or does not permit it.
    Kernel,
}

/// Restricts the system calls of this thread and those it creates. Returns how many are allowed.
pub(super) fn restrict(scope: Scope) -> Result<usize, Missing> {
    let arch: TargetArch = std::env::consts::ARCH.try_into().map_err(|_| Missing::Processor)?;
    let rules = rules(scope);
    let count = rules.len();
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, unknown, SeccompAction::Allow, arch);
    let program = filter.and_then(BpfProgram::try_from).map_err(|_| Missing::Processor)?;
    apply_filter(&program).map(|()| count).map_err(|_| Missing::Kernel)
}

fn rules(scope: Scope) -> BTreeMap<i64, Vec<SeccompRule>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let lists: &[&[c_long]] = match scope {
        Scope::Sensor => &[COMPUTE, FILES, CONNECTIONS, PROCESS, OLD_COMPUTE, OLD, NOT_RISCV],
        Scope::Parser => &[COMPUTE, OLD_COMPUTE],
    };
    for call in lists.iter().copied().flatten() {
        rules.insert(*call, Vec::new());
    }
    // No memory may be both writable and executable.
    const WRITE_AND_EXEC: u64 = (libc::PROT_WRITE | libc::PROT_EXEC) as u64;
    let protections =
        [0, libc::PROT_WRITE, libc::PROT_EXEC].map(|p| masked(2, WRITE_AND_EXEC, p as u64));
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        insert(&mut rules, call, &protections);
    }
    let names = [libc::PR_SET_NAME, libc::PR_SET_VMA].map(|option| equal(0, Dword, option as u64));
    insert(&mut rules, libc::SYS_prctl, &names);
    if scope == Scope::Sensor {
        // Threads, but no processes or namespaces. The flags of clone3 are in memory, where no
        // filter sees them; without it, the C library uses clone.
        const THREAD: u64 = libc::CLONE_THREAD as u64;
        insert(&mut rules, libc::SYS_clone, &[masked(0, THREAD | NAMESPACES, THREAD)]);
        let families = FAMILIES.map(|family| equal(0, Dword, family as u64));
        insert(&mut rules, libc::SYS_socket, &families);
        insert(&mut rules, libc::SYS_socketpair, &[equal(0, Dword, libc::AF_UNIX as u64)]);
        // For restricting a thread further.
        let privileges = [libc::PR_SET_NO_NEW_PRIVS, libc::PR_SET_SECCOMP]
            .map(|option| equal(0, Dword, option as u64));
        insert(&mut rules, libc::SYS_prctl, &privileges);
    }
    rules
}

/// Allows a call if one of the conditions holds.
fn insert(
    rules: &mut BTreeMap<i64, Vec<SeccompRule>>,
    call: c_long,
    conditions: &[Option<SeccompCondition>],
) {
    let allowed = conditions.iter().flatten();
    let allowed = allowed.filter_map(|condition| SeccompRule::new(vec![condition.clone()]).ok());
    rules.entry(call).or_default().extend(allowed);
}

fn equal(argument: u8, len: SeccompCmpArgLen, value: u64) -> Option<SeccompCondition> {
    SeccompCondition::new(argument, len, SeccompCmpOp::Eq, value).ok()
}

fn masked(argument: u8, mask: u64, value: u64) -> Option<SeccompCondition> {
    SeccompCondition::new(argument, Qword, SeccompCmpOp::MaskedEq(mask), value).ok()
}

/// Flags of clone(2) for a namespace.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// Kinds of sockets: packets; receivers, resolvers and the web page; the service manager; interface
/// names.
const FAMILIES: [libc::c_int; 5] =
    [libc::AF_PACKET, libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK];

/// Memory, waiting, time, random numbers, messages on standard error, and the end of a thread.
const COMPUTE: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_membarrier,
    libc::SYS_ppoll,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// The same by names that only older processors have.
#[cfg(target_arch = "x86_64")]
const OLD_COMPUTE: &[c_long] = &[libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLD_COMPUTE: &[c_long] = &[];

/// Files and folders; Landlock restricts which.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_ioctl,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_sync_file_range,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_msync,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mincore,
];

/// Sockets and polling.
const CONNECTIONS: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_pipe2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
];

/// Queries about the process and the machine, signals, and restricting threads.
const PROCESS: &[c_long] = &[
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_getppid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_times,
    libc::SYS_getrusage,
    libc::SYS_prlimit64,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_set_tid_address,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_seccomp,
];

/// Calls that newer processors have under another name only.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_getdents,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_pause,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Calls that RISC-V never had.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const NOT_RISCV: &[c_long] = &[libc::SYS_renameat, libc::SYS_getrlimit, libc::SYS_setrlimit];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const NOT_RISCV: &[c_long] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};

    /// Runs `work` in a thread that is restricted first; the process is not.
    fn inside<R: Send + 'static>(scope: Scope, work: impl FnOnce() -> R + Send + 'static) -> R {
        let thread = std::thread::spawn(move || {
            rustix::thread::set_no_new_privs(true).expect("no new privileges");
            let left = restrict(scope).expect("this kernel has seccomp");
            assert!(left > 20, "{left}");
            work()
        });
        thread.join().expect("it does not break down")
    }

    fn unknown<T>(result: std::io::Result<T>) -> bool {
        result.err().and_then(|error| error.raw_os_error()) == Some(libc::ENOSYS)
    }

    #[test]
    fn a_sensor_can_do_its_work_and_nothing_else() {
        inside(Scope::Sensor, || {
            let folder = tempfile::tempdir().expect("a folder");
            let (one, two) = (folder.path().join("one"), folder.path().join("two"));
            std::fs::write(&one, "text").expect("a file");
            std::fs::rename(&one, &two).expect("another name");
            std::os::unix::fs::symlink("two", &one).expect("a link");
            assert_eq!(std::fs::read_to_string(&one).expect("text"), "text");
            assert_eq!(std::fs::read_dir(folder.path()).expect("a list").count(), 2);
            // Names, connections, threads.
            let addresses = "localhost:80".to_socket_addrs().expect("a resolver");
            assert!(addresses.count() > 0);
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("its address");
            let peer = std::thread::spawn(move || {
                let (mut peer, _) = listener.accept().expect("a connection");
                let mut text = String::new();
                peer.read_to_string(&mut text).expect("text");
                text
            });
            TcpStream::connect(address).and_then(|mut s| s.write_all(b"text")).expect("sent");
            assert_eq!(peer.join().expect("a thread"), "text");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let slept = std::time::Duration::from_millis(1);
            runtime.expect("a runtime").block_on(async { tokio::time::sleep(slept).await });
            // Programs, namespaces, and kinds of sockets that it does not need.
            assert!(std::process::Command::new("true").spawn().is_err());
            use rustix::net::{AddressFamily, SocketType, socket};
            let ciphers = AddressFamily::from_raw(libc::AF_ALG as u16);
            let unknown = Some(rustix::io::Errno::NOSYS);
            assert_eq!(socket(ciphers, SocketType::SEQPACKET, None).err(), unknown);
            let user = rustix::process::getuid();
            assert_eq!(rustix::thread::set_thread_res_uid(user, user, user).err(), unknown);
        });
    }

    #[test]
    fn a_thread_that_parses_opens_nothing_and_starts_nothing() {
        let file = std::env::current_exe().expect("a file");
        inside(Scope::Parser, move || {
            let rows: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
            assert_eq!(rows.concat().len(), 488_890);
            std::thread::sleep(std::time::Duration::from_millis(1));
            let (send, receive) = std::sync::mpsc::sync_channel(1);
            send.send(7).expect("sent");
            assert_eq!(receive.recv().expect("a number"), 7);
            let caught = std::panic::catch_unwind(|| std::panic::panic_any(7));
            assert!(caught.is_err(), "a panic is caught as ever");
            assert!(unknown(std::fs::File::open(&file)));
            assert!(unknown(std::fs::write("/tmp/phitap-never", "x")));
            assert!(unknown(TcpStream::connect("127.0.0.1:1")));
            assert!(std::thread::Builder::new().spawn(|| ()).is_err());
        });
    }

    #[test]
    fn the_parser_may_do_nothing_that_the_sensor_may_not() {
        let (sensor, parser) = (rules(Scope::Sensor), rules(Scope::Parser));
        assert!(parser.keys().all(|call| sensor.contains_key(call)));
        assert!(parser.len() < sensor.len() / 2);
        let never = [libc::SYS_execve, libc::SYS_ptrace, libc::SYS_bpf, libc::SYS_mount];
        for call in never.into_iter().chain([libc::SYS_clone3, libc::SYS_setns]) {
            assert!(!sensor.contains_key(&call), "{call}");
        }
    }
}
