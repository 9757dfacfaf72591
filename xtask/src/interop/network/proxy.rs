//! A relay between two peers that stops after so many bytes, so that a kill "in the middle" is in
//! the middle on any machine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A relay that waits so long for its bytes never gets them.
const EXHAUSTED_SECONDS_MAX: u64 = 200;

/// Listens on a port of its own and relays to another.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    target: u16,
    /// Bytes that still go through, both directions together.
    left: u64,
    /// Raised by each cut: connections of an earlier one end.
    cuts: u64,
    is_over: bool,
}

impl Proxy {
    /// Relays to `target` until `left` bytes went through.
    pub(super) fn start(target: u16, left: u64) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let state = Mutex::new(State { target, left, cuts: 0, is_over: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if accepting.is_over() {
                    return;
                }
                accepting.relay(near);
            }
        });
        Ok(Self { port, shared })
    }

    /// Waits until nothing more goes through.
    pub(super) fn wait_exhausted(&self) -> Result<(), String> {
        let state = self.shared.state.lock().expect("no relay panicked");
        let limit = Duration::from_secs(EXHAUSTED_SECONDS_MAX);
        let waited = self.shared.changed.wait_timeout_while(state, limit, |state| state.left > 0);
        let (state, late) = waited.expect("no relay panicked");
        if late.timed_out() {
            return Err(format!("the relay still waits for {} bytes", state.left));
        }
        Ok(())
    }

    /// Lets everything through from now on.
    pub(super) fn go_on(&self) {
        self.shared.change(|state| state.left = u64::MAX);
    }

    /// Ends the connections; new ones go to `target`, without a limit.
    pub(super) fn cut(&self, target: u16) {
        self.shared.change(|state| {
            state.cuts += 1;
            state.target = target;
            state.left = u64::MAX;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.cuts += 1;
            state.is_over = true;
        });
        // Wakes the accepting thread, which then ends.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("no relay panicked"));
        self.changed.notify_all();
    }

    fn is_over(&self) -> bool {
        self.state.lock().expect("no relay panicked").is_over
    }

    fn relay(self: &Arc<Self>, near: TcpStream) {
        let (target, cut) = {
            let state = self.state.lock().expect("no relay panicked");
            (state.target, state.cuts)
        };
        // A peer that is not there ends the connection, as if it had been dialled itself.
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)) else { return };
        let pair =
            |from: &TcpStream, to: &TcpStream| Some((from.try_clone().ok()?, to.try_clone().ok()?));
        for (from, to) in [pair(&near, &far), pair(&far, &near)].into_iter().flatten() {
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.copy(from, to, cut));
        }
        let shared = Arc::clone(self);
        std::thread::spawn(move || {
            let state = shared.state.lock().expect("no relay panicked");
            let waited = shared.changed.wait_while(state, |state| state.cuts == cut);
            drop(waited);
            end(&near);
            end(&far);
        });
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, cut: u64) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            let state = self.state.lock().expect("no relay panicked");
            let waited =
                self.changed.wait_while(state, |state| state.left == 0 && state.cuts == cut);
            let mut state = waited.expect("no relay panicked");
            if state.cuts != cut {
                break;
            }
            state.left = state.left.saturating_sub(len as u64);
            drop(state);
            self.changed.notify_all();
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        end(&from);
        end(&to);
    }
}

fn end(stream: &TcpStream) {
    // It may have ended already.
    let _ = stream.shutdown(Shutdown::Both);
}
