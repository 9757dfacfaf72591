//! The twins for tokio: the same results, the sync elsewhere, and futures that are dropped.
#![cfg(feature = "async")]

mod support;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use mappedpages::{
    Durability, Format, MappedPageError, Medium, PageId, Pager, ProtectedPageId, SharedPager,
};
use support::medium::Watched;
use support::{P, assert_fails, in_all_cases, listed};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn the_twins_do_what_the_others_do() {
    in_all_cases(|case| {
        block_on(async {
            let mut pager = case.builder().create_async(case.path()).await.unwrap();
            let page = pager.alloc_async().await.unwrap();
            let pages = pager.alloc_bulk_async(7).await.unwrap();
            let protected = pager.alloc_protected_async().await.unwrap();
            let many = pager.alloc_protected_bulk_async(3).await.unwrap();
            page.get_mut(&mut pager).unwrap().as_bytes_mut().fill(1);
            let mut writer = protected.get_mut(&mut pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(2);
            writer.commit_async().await.unwrap();
            pager.free_async(pages[0]).await.unwrap();
            pager.free_bulk_async(pages[1..3].to_vec()).await.unwrap();
            pager.free_protected_async(many[0]).await.unwrap();
            pager.free_protected_bulk_async(many[1..].to_vec()).await.unwrap();
            assert_fails!(pager.free_async(pages[0]).await, MappedPageError::DoubleFree);
            let mut transaction = pager.transaction().unwrap();
            let last = transaction.alloc().unwrap();
            transaction.commit_async().await.unwrap();
            pager.flush_async().await.unwrap();
            let expected = listed(&pager);
            assert!(expected.0.contains(&last.0));
            assert_eq!(expected.1, [protected.0]);
            pager.close_async().await.unwrap();

            let pager = case.builder().open_async(case.path()).await.unwrap();
            assert_eq!(listed(&pager), expected);
            assert_eq!(page.get(&pager).unwrap().as_bytes(), [1; P]);
            assert_eq!(protected.get(&pager).unwrap().as_bytes(), [2; P]);

            let shared = SharedPager::new(pager);
            let id = shared.write_async(|transaction| transaction.alloc()).await.unwrap();
            shared.flush_async().await.unwrap();
            assert!(shared.read(|pager| id.get(pager).is_ok()).unwrap());
            shared.close_async().await.unwrap();
        });
    });
}

#[test]
fn the_sync_runs_on_another_thread() {
    let medium = Watched::new();
    let mut pager = create(&medium, Format::Two, Durability::Immediate);
    let here = std::thread::current().id();
    let elsewhere = Arc::new(AtomicU64::new(0));
    let counting = Arc::clone(&elsewhere);
    medium.on_sync(move || {
        assert_ne!(std::thread::current().id(), here, "the runtime's thread syncs");
        counting.fetch_add(1, Ordering::SeqCst);
    });
    block_on(async {
        pager.alloc_async().await.unwrap();
        pager.alloc_protected_async().await.unwrap();
        pager.flush_async().await.unwrap();
        pager.close_async().await.unwrap();
    });
    assert!(elsewhere.load(Ordering::SeqCst) >= 3);
}

#[test]
fn the_futures_can_be_sent() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let medium = Watched::new();
    let mut pager = create(&medium, Format::Two, Durability::Immediate);
    drop(sendable(pager.alloc_async()));
    drop(sendable(pager.free_bulk_async(vec![])));
    drop(sendable(pager.flush_async()));
    drop(sendable(pager.transaction().unwrap().commit_async()));
    drop(sendable(pager.close_async()));
}

fn create(medium: &Arc<Watched>, format: Format, durability: Durability) -> Pager<P> {
    let builder = Pager::<P>::builder().format(format).durability(durability);
    builder.create_on(Arc::clone(medium) as Arc<dyn Medium>).unwrap()
}

/// Polls a future so many times and drops it; whether it was ready before.
async fn poll_and_drop<T>(future: impl Future<Output = T>, polls: usize) -> bool {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
            return true;
        }
        // The blocking thread gets on, so that each poll finds the future elsewhere.
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    false
}

async fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

/// What may be given up half way.
#[derive(Clone, Copy, Debug)]
enum Step {
    Alloc,
    AllocBulk,
    Free,
    AllocProtected,
    FreeProtected,
    Write,
    Transaction,
    Flush,
}

const STEPS: [Step; 8] = [
    Step::Alloc,
    Step::AllocBulk,
    Step::Free,
    Step::AllocProtected,
    Step::FreeProtected,
    Step::Write,
    Step::Transaction,
    Step::Flush,
];

async fn give_up(
    pager: &mut Pager<P>,
    step: Step,
    page: PageId<P>,
    protected: ProtectedPageId<P>,
    polls: usize,
) -> bool {
    match step {
        Step::Alloc => poll_and_drop(pager.alloc_async(), polls).await,
        Step::AllocBulk => poll_and_drop(pager.alloc_bulk_async(40), polls).await,
        Step::Free => poll_and_drop(pager.free_async(page), polls).await,
        Step::AllocProtected => poll_and_drop(pager.alloc_protected_async(), polls).await,
        Step::FreeProtected => poll_and_drop(pager.free_protected_async(protected), polls).await,
        Step::Write => {
            let mut writer = protected.get_mut(pager).unwrap();
            writer.page_mut().as_bytes_mut().fill(2);
            poll_and_drop(writer.commit_async(), polls).await
        }
        Step::Transaction => {
            let mut transaction = pager.transaction().unwrap();
            transaction.alloc().unwrap();
            transaction.protected_mut(protected).unwrap().as_bytes_mut().fill(2);
            poll_and_drop(transaction.commit_async(), polls).await
        }
        Step::Flush => poll_and_drop(pager.flush_async(), polls).await,
    }
}

/// All that there is: pages, protected pages with the byte that fills them.
fn state(pager: &Pager<P>) -> (Vec<u64>, Vec<(u64, u8)>) {
    let protected = pager.iter_allocated_protected_pages().map(|id| {
        let bytes = id.get(pager).unwrap().as_bytes();
        assert_eq!(bytes, [bytes[0]; P]);
        (id.0, bytes[0])
    });
    (listed(pager).0, protected.collect())
}

#[test]
fn a_future_dropped_at_any_poll_leaves_a_whole_pager() {
    for format in [Format::One, Format::Two] {
        for durability in [Durability::Immediate, Durability::Barriers] {
            for step in STEPS {
                let mut was_ready = false;
                let mut polls = 0;
                while !was_ready {
                    was_ready = block_on(dropped(format, durability, step, polls));
                    polls += 1;
                }
            }
        }
    }
}

async fn dropped(format: Format, durability: Durability, step: Step, polls: usize) -> bool {
    let medium = Watched::new();
    let mut pager = create(&medium, format, durability);
    let page = pager.alloc().unwrap();
    let protected = pager.alloc_protected().unwrap();
    let mut writer = protected.get_mut(&mut pager).unwrap();
    writer.page_mut().as_bytes_mut().fill(1);
    writer.commit().unwrap();
    let before = state(&pager);

    let was_ready = give_up(&mut pager, step, page, protected, polls).await;
    let shown = state(&pager);
    if polls == 0 {
        assert_eq!(shown, before, "{step:?}: not polled and yet something happened");
    }
    // Whole: what it shows is what it keeps, with further changes of either kind on top.
    let more = if polls.is_multiple_of(2) {
        pager.alloc_async().await.unwrap()
    } else {
        pager.alloc().unwrap()
    };
    assert!(!shown.0.contains(&more.0), "{step:?}: given out twice");
    let mut expected = shown;
    expected.0.push(more.0);
    expected.0.sort_unstable();
    assert_eq!(state(&pager), expected, "{step:?} after {polls} polls");
    pager.close_async().await.unwrap();
    let pager = Pager::<P>::builder().open_on(medium as Arc<dyn Medium>).unwrap();
    assert_eq!(state(&pager), expected, "{step:?} after {polls} polls, opened again");
    was_ready
}

#[test]
fn a_sync_is_not_repeated_by_the_call_after_a_dropped_future() {
    for durability in [Durability::Immediate, Durability::Barriers] {
        let medium = Watched::new();
        let mut pager = create(&medium, Format::Two, durability);
        pager.alloc().unwrap();
        let flushes = if durability == Durability::Barriers { 2 } else { 1 };
        let before = medium.syncs();
        block_on(poll_and_drop(pager.alloc_async(), 1));
        assert_eq!(listed(&pager).0.len(), 2);
        pager.alloc().unwrap();
        assert_eq!(medium.syncs() - before, 2 * flushes);
    }
}

#[test]
fn a_sync_that_failed_after_its_future_was_dropped_is_told_to_the_next_call() {
    let medium = Watched::new();
    let mut pager = create(&medium, Format::Two, Durability::Immediate);
    pager.alloc().unwrap();
    medium.fail_syncs(true);
    let before = medium.syncs();
    let was_told = block_on(async {
        // A sync that ends before the first poll does is told to the future that is then dropped.
        let was_told = poll_and_drop(pager.alloc_async(), 1).await;
        wait_until(|| medium.syncs() > before).await;
        was_told
    });
    let syncs = medium.syncs();
    medium.fail_syncs(false);
    if !was_told {
        assert_fails!(block_on(pager.alloc_async()), MappedPageError::Io(_));
    }
    assert_fails!(pager.alloc(), MappedPageError::Unavailable);
    assert_eq!(medium.syncs(), syncs, "it was asked again");
}

#[test]
fn a_runtime_that_ends_before_the_sync_began_leaves_it_to_the_next_call() {
    let medium = Watched::new();
    let mut pager = create(&medium, Format::Two, Durability::Immediate);
    let runtime =
        tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    // The only blocking thread is busy, so the sync waits in the queue and is dropped with it.
    runtime.block_on(async {
        tokio::task::spawn_blocking(move || held.recv());
        assert!(!poll_and_drop(pager.alloc_async(), 1).await);
    });
    let before = medium.syncs();
    runtime.shutdown_background();
    drop(release);
    let id = pager.alloc().unwrap();
    assert_eq!(listed(&pager).0, [id.0 - 1, id.0]);
    assert_eq!(medium.syncs() - before, 2);
    pager.close().unwrap();
    let pager = Pager::<P>::builder().open_on(medium as Arc<dyn Medium>).unwrap();
    assert_eq!(listed(&pager).0.len(), 2);
}

#[test]
fn a_shared_write_goes_on_when_its_future_is_dropped() {
    let medium = Watched::new();
    let shared = SharedPager::new(create(&medium, Format::Two, Durability::Immediate));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let began = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let inner = Arc::clone(&began);
        let write = shared.write_async(move |transaction| {
            inner.store(1, Ordering::SeqCst);
            transaction.alloc()
        });
        poll_and_drop(write, 1).await;
        wait_until(|| began.load(Ordering::SeqCst) > 0).await;
    });
    // The runtime waits for what runs on its blocking threads.
    drop(runtime);
    assert_eq!(shared.read(|pager| listed(pager).0.len()).unwrap(), 1);
    shared.close().unwrap();
}
