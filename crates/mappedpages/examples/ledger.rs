//! Accounts in protected pages, and threads that move money between them: each transfer is one
//! transaction, so whatever happens the sum is the same.
//!
//! `cargo run -p mappedpages --example ledger [FILE]`: kill it at any time and run it again on the same file.

use std::path::PathBuf;

use mappedpages::{MappedPageError, Pager, ProtectedPageId, SharedPager, Transaction};

const PAGE_SIZE: usize = 1024;
const ACCOUNTS: usize = 8;
const OPENING_BALANCE: u64 = 1000;
const THREADS: usize = 4;
const TRANSFERS: usize = 50;

type Account = ProtectedPageId<PAGE_SIZE>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let named = std::env::args_os().nth(1).map(PathBuf::from);
    let path = named
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("ledger-{}", std::process::id())));
    let ledger = SharedPager::new(open_or_create(&path)?);
    let accounts: Vec<Account> =
        ledger.read(|pager| pager.iter_allocated_protected_pages().collect())?;

    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (ledger, accounts) = (&ledger, &accounts);
                scope.spawn(move || move_money(ledger, accounts, thread))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;

    let (balances, commits) = ledger.read(|pager| {
        let balance = |account: &Account| Ok(balance_in(account.get(pager)?.as_bytes()));
        let balances: Result<Vec<u64>, MappedPageError> = accounts.iter().map(balance).collect();
        (balances, pager.generation())
    })?;
    let balances = balances?;
    let sum: u64 = balances.iter().sum();
    println!("balances {balances:?}, together {sum}");
    println!("{} transfers since the file was made took {commits} commits", THREADS * TRANSFERS);
    assert_eq!(sum, OPENING_BALANCE * ACCOUNTS as u64);
    ledger.close()?;
    if named.is_none() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// The accounts are all there or none: they are made in one commit.
fn open_or_create(path: &PathBuf) -> Result<Pager<PAGE_SIZE>, MappedPageError> {
    let mut pager = if path.exists() {
        let pager = Pager::open(path)?;
        println!("opened: {:?}", pager.recovery());
        pager
    } else {
        Pager::create(path)?
    };
    if pager.iter_allocated_protected_pages().next().is_none() {
        let mut opening = pager.transaction()?;
        for account in opening.alloc_protected_bulk(ACCOUNTS)? {
            set_balance(&mut opening, account, OPENING_BALANCE)?;
        }
        opening.commit()?;
    }
    Ok(pager)
}

fn move_money(
    ledger: &SharedPager<PAGE_SIZE>,
    accounts: &[Account],
    thread: usize,
) -> Result<(), MappedPageError> {
    for turn in 0..TRANSFERS {
        let from = accounts[(turn * 3 + thread) % accounts.len()];
        let to = accounts[(turn * 5 + thread + 1) % accounts.len()];
        ledger.write(|transfer| {
            let balance = balance_in(transfer.protected(from)?.as_bytes());
            let amount = balance.min(10 + turn as u64);
            set_balance(transfer, from, balance - amount)?;
            let balance = balance_in(transfer.protected(to)?.as_bytes());
            set_balance(transfer, to, balance + amount)
        })?;
    }
    Ok(())
}

fn balance_in(page: &[u8]) -> u64 {
    u64::from_le_bytes(*page.first_chunk().expect("a page is longer"))
}

fn set_balance(
    transaction: &mut Transaction<'_, PAGE_SIZE>,
    account: Account,
    balance: u64,
) -> Result<(), MappedPageError> {
    let page = transaction.protected_mut(account)?.as_bytes_mut();
    page[..8].copy_from_slice(&balance.to_le_bytes());
    Ok(())
}
