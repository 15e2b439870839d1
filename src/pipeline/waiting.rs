//! Items of workers that wait until every worker has come as far.
//!
//! Each worker reports in order, so the items of all are merged like sorted lists: as long as one worker's items are the
//! first of all, taking one costs a comparison.

use super::report::Order;
use std::collections::VecDeque;

/// A queue for each worker.
pub struct Waiting<T> {
    queues: Vec<Queue<T>>,
}

/// Items of one worker, sorted.
struct Queue<T> {
    items: VecDeque<(Order, T)>,
    /// How many of the first ones [`Waiting::ahead`] has shown.
    shown: usize,
}

/// Items of one worker that come before those of all others.
#[derive(Clone, Copy)]
pub struct Run {
    worker: usize,
    /// The first item of the others; `None` if they have none.
    until: Option<Order>,
}

impl<T> Waiting<T> {
    /// Empty queues of `workers` workers.
    pub fn new(workers: usize) -> Self {
        let queue = |_| Queue { items: VecDeque::new(), shown: 0 };
        Self { queues: (0..workers).map(queue).collect() }
    }

    /// Adds items of a worker, sorted.
    pub fn add(&mut self, worker: usize, items: Vec<(Order, T)>) {
        let Some(Queue { items: queue, .. }) = self.queues.get_mut(worker) else { return };
        if queue.is_empty() {
            *queue = items.into();
            return;
        }
        for item in items {
            if queue.back().is_some_and(|last| last.0 > item.0) {
                let at = queue.partition_point(|other| other.0 <= item.0);
                queue.insert(at, item);
            } else {
                queue.push_back(item);
            }
        }
    }

    /// The worker whose turn it is, if any item waits.
    pub fn run(&self) -> Option<Run> {
        let first = |queue: &Queue<T>| queue.items.front().map(|item| item.0);
        let firsts = || self.queues.iter().enumerate().filter_map(|(w, q)| Some((first(q)?, w)));
        let (_, worker) = firsts().min()?;
        let others = firsts().filter(|(_, other)| *other != worker);
        Some(Run { worker, until: others.map(|(order, _)| order).min() })
    }

    /// The next item of a run. `upto`: packet and flow up to which every worker has come.
    pub fn next(&mut self, run: Run, upto: (u64, u64)) -> Option<T> {
        let queue = self.queues.get_mut(run.worker)?;
        let order = queue.items.front()?.0;
        let comes = (order.packet, order.flow) <= upto && run.until.is_none_or(|o| order < o);
        if !comes {
            return None;
        }
        queue.shown = queue.shown.saturating_sub(1);
        queue.items.pop_front().map(|(_, item)| item)
    }

    /// The next items of the worker, at most `most`: each is shown once, when those shown before have been taken.
    pub fn ahead(&mut self, run: Run, most: usize) -> impl Iterator<Item = &T> + Clone {
        let items = self.queues.get_mut(run.worker).map(|queue| {
            let new = if queue.shown == 0 { most.min(queue.items.len()) } else { 0 };
            queue.shown += new;
            queue.items.iter().take(new)
        });
        items.into_iter().flatten().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: (u64, u64) = (u64::MAX, u64::MAX);

    fn order(packet: u64, flow: u64, n: u32) -> Order {
        Order { packet, flow, n }
    }

    fn taken(waiting: &mut Waiting<u64>, upto: (u64, u64)) -> Vec<u64> {
        let mut all = Vec::new();
        while let Some(run) = waiting.run() {
            let before = all.len();
            while let Some(item) = waiting.next(run, upto) {
                all.push(item);
            }
            if all.len() == before {
                break;
            }
        }
        all
    }

    #[test]
    fn items_of_all_workers_come_in_the_order_of_their_packets() {
        let mut waiting = Waiting::new(3);
        for n in 0..300u64 {
            let worker = (n * 7 % 13 % 3) as usize;
            waiting.add(worker, vec![(order(n / 4, n % 4, 0), n)]);
        }
        let mut all = taken(&mut waiting, (10, 2));
        assert_eq!(all, (0..43).collect::<Vec<_>>(), "packet 10 and its flows to 2");
        all.extend(taken(&mut waiting, (10, 2)));
        all.extend(taken(&mut waiting, ALL));
        assert_eq!(all, (0..300).collect::<Vec<_>>());
        assert!(waiting.run().is_none());
    }

    #[test]
    fn an_item_of_a_later_report_with_an_earlier_place_is_put_there() {
        let mut waiting = Waiting::new(2);
        waiting.add(0, vec![(order(5, 1, 0), 51), (order(5, 9, 0), 59)]);
        waiting.add(0, vec![(order(5, 3, 0), 53), (order(6, 0, 0), 60)]);
        waiting.add(1, vec![(order(5, 2, 0), 52)]);
        waiting.add(7, vec![(order(0, 0, 0), 0)]);
        assert_eq!(taken(&mut waiting, ALL), [51, 52, 53, 59, 60]);
    }

    #[test]
    fn the_next_items_are_shown_once() {
        let mut waiting = Waiting::new(1);
        waiting.add(0, (0..40).map(|n| (order(n, 0, 0), n)).collect());
        let (mut shown, mut all) = (Vec::new(), Vec::new());
        while let Some(run) = waiting.run() {
            shown.extend(waiting.ahead(run, 16).copied());
            all.extend(waiting.next(run, ALL));
        }
        assert_eq!(shown, (0..40).collect::<Vec<_>>());
        assert_eq!(all, shown);
    }
}
