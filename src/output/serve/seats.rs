//! Slots for connections. If all are taken, a new client gets one of them: clients that hold many, or that never sent
//! a request, keep no client out.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Connections at the same time.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The slots of a server.
#[derive(Default)]
pub(super) struct Seats(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    /// In the order in which they were taken.
    taken: Vec<Occupant>,
}

struct Occupant {
    number: u64,
    address: IpAddr,
    answered: Arc<AtomicBool>,
    /// Dropped when the slot is given to another client.
    _lost: oneshot::Sender<()>,
}

/// A slot held by a client; free again when it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    number: u64,
    answered: Arc<AtomicBool>,
    lost: oneshot::Receiver<()>,
}

impl Seats {
    /// A slot for a client at `address`. If all are taken, a client that never got a response loses its slot, else
    /// one of the address that holds most, the longest connected first.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Seat {
        let (sender, lost) = oneshot::channel();
        let answered = Arc::new(AtomicBool::new(false));
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.taken.len() >= MAX_CONNECTIONS {
            let held = |of: IpAddr| table.taken.iter().filter(|t| t.address == of).count();
            let worth =
                |t: &Occupant| (t.answered.load(Ordering::Relaxed), usize::MAX - held(t.address));
            let least = table.taken.iter().enumerate().min_by_key(|(_, taken)| worth(taken));
            if let Some(at) = least.map(|(at, _)| at) {
                table.taken.remove(at);
            }
        }
        table.next += 1;
        let number = table.next;
        let taken = Occupant { number, address, answered: Arc::clone(&answered), _lost: sender };
        table.taken.push(taken);
        drop(table);
        Seat { seats: Arc::clone(self), number, answered, lost }
    }

    /// Whether no client is connected.
    pub(super) fn are_free(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).taken.is_empty()
    }
}

impl Seat {
    /// Set when the client has got a response.
    pub(super) fn answered(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.answered)
    }

    /// Ends when the slot was given to another client.
    pub(super) async fn lost(&mut self) {
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.taken.retain(|taken| taken.number != self.number);
    }
}
