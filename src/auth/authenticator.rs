//! The authorization of a client's calls. Each process has one access token, which one call at a time
//! requests while the others wait or use the previous token.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::credentials::{Credentials, Kind};
use super::token::AccessToken;
use crate::error::{Error, Status};
use crate::sys::{self, ArcCell, PerProcess, generation};
use crate::transport::CallContext;

/// How often a waiting call checks whether it was cancelled.
const CANCEL_CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The authorization of one attempt. It does not change during the attempt, even if the credentials
/// are replaced.
#[derive(Clone)]
pub struct Authorization {
    credentials: Arc<Credentials>,
    /// Only for client credentials. None before the first token.
    token: Option<Arc<AccessToken>>,
}

/// Why a token is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// There is no valid token. The call fails if the request fails.
    First,
    /// The token will expire soon. The call uses it if the request fails.
    Renewal,
}

/// The credentials and the access token of a client. All threads may use it at the same time.
///
/// A forked child inherits both, and never waits for a token request of its parent.
pub struct Authenticator {
    current: ArcCell<Authorization>,
    requests: PerProcess<TokenRequests>,
}

/// The token requests of one process: at most one is in progress.
#[derive(Default)]
struct TokenRequests {
    state: Mutex<RequestState>,
    finished: Condvar,
}

#[derive(Default)]
struct RequestState {
    in_progress: bool,
    /// The thread of the request that began last.
    thread: usize,
    /// How many requests have finished.
    count: u64,
    /// The last failure that applies to all calls.
    failure: Option<Failure>,
    /// Set after a failed renewal: the earliest time of the next one.
    no_renewal_before: Option<Instant>,
    /// The sum of the `Retry-After` values for which requests have waited.
    retry_after: Duration,
    /// The end of the last such wait.
    retry_after_end: Option<Instant>,
}

impl RequestState {
    /// How long requests have waited for `Retry-After` until now.
    fn waited(&self) -> Duration {
        let left = self.retry_after_end.map(|end| end.saturating_duration_since(Instant::now()));
        self.retry_after.saturating_sub(left.unwrap_or_default())
    }
}

#[derive(Clone)]
struct Failure {
    /// The number of the failed request.
    request: u64,
    /// The credentials of the request. Weak, so that replaced credentials do not stay in memory.
    credentials: Weak<Credentials>,
    error: Error,
}

impl Authorization {
    /// The value of the Authorization header.
    pub fn header(&self) -> &[u8] {
        match &self.token {
            Some(token) => token.authorization(),
            None => self.credentials.basic(),
        }
    }

    /// The kind of the credentials.
    pub fn kind(&self) -> Kind {
        self.credentials.kind()
    }

    /// Whether only one call may use it, because the token's lifetime is zero.
    pub fn is_single_use(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.lifetime().is_zero())
    }

    /// The forms in which a peer could echo the secrets.
    pub fn secrets(&self) -> Vec<Zeroizing<String>> {
        let mut secrets = Vec::from(self.credentials.secrets());
        if let Some(token) = &self.token {
            secrets.push(Zeroizing::new(token.secret().to_owned()));
        }
        secrets
    }
}

impl Authenticator {
    /// Creates an authenticator without a token.
    pub fn new(credentials: Credentials) -> Authenticator {
        let credentials = Arc::new(credentials);
        Authenticator {
            current: ArcCell::new(Arc::new(Authorization { credentials, token: None })),
            requests: PerProcess::new(),
        }
    }

    /// The kind of the credentials, which never changes.
    pub fn kind(&self) -> Kind {
        self.current.load().kind()
    }

    /// Replaces the credentials and drops the token that was requested with the previous ones.
    pub fn set_credentials(&self, credentials: Credentials) {
        let credentials = Arc::new(credentials);
        self.current.store(Arc::new(Authorization { credentials, token: None }));
        // A failure of the previous pair does not apply to the new one.
        let mut state = self.requests.lock();
        (state.failure, state.no_renewal_before) = (None, None);
    }

    /// Whether these are the current credentials.
    pub fn has_credentials(&self, credentials: &Credentials) -> bool {
        let current = self.current.load();
        current.kind() == credentials.kind() && current.credentials.basic() == credentials.basic()
    }

    /// The forms in which the current secrets could appear in a text.
    pub fn secrets(&self) -> Vec<Zeroizing<String>> {
        self.current.load().secrets()
    }

    /// Discards the token of this authorization after the service rejected it. A newer token is kept.
    pub fn reject(&self, rejected: &Authorization) {
        let current = self.current.load();
        let is_current = match (&current.token, &rejected.token) {
            (Some(current), Some(rejected)) => Arc::ptr_eq(current, rejected),
            _ => false,
        };
        if is_current {
            let credentials = current.credentials.clone();
            self.current.replace_if(&current, Arc::new(Authorization { credentials, token: None }));
        }
    }

    /// The authorization for an attempt. If there is no valid token, one caller requests it with
    /// `request`, and the others wait.
    ///
    /// # Errors
    /// Returns why there is no token, or that the deadline passed or the call was cancelled while
    /// another call requested it.
    pub fn authorize(
        &self,
        context: &CallContext<'_>,
        mut request: impl FnMut(&Credentials, Purpose, &RequestGuard<'_>) -> Result<AccessToken, Error>,
    ) -> Result<Arc<Authorization>, Error> {
        loop {
            let current = self.current.load();
            if current.kind() == Kind::User {
                return Ok(current);
            }
            let now = Instant::now();
            let valid = current.token.as_ref().filter(|token| token.remaining(now).is_some());
            match valid {
                Some(token) if !token.is_renewal_due(now) => return Ok(current),
                Some(token) => {
                    let Some(guard) = self.requests.try_begin_renewal(now) else {
                        return Ok(current);
                    };
                    // Another call may have renewed it after it was loaded.
                    if !Arc::ptr_eq(&current, &self.current.load()) {
                        continue;
                    }
                    return Ok(match request(&current.credentials, Purpose::Renewal, &guard) {
                        Ok(new) => self.store_token(&current, new, guard),
                        Err(error) => {
                            if error.status != Status::Cancelled {
                                let now = Instant::now();
                                let left = token.remaining(now).unwrap_or_default();
                                guard.postpone_renewal(now + left / 4);
                            }
                            current
                        }
                    });
                }
                None => {}
            }
            let guard = match self.requests.begin_or_wait(context)? {
                Turn::Mine(guard) => guard,
                Turn::OtherFinished(None) => continue,
                Turn::OtherFinished(Some(failure)) => {
                    let credentials = self.current.load().credentials.clone();
                    if Weak::ptr_eq(&failure.credentials, &Arc::downgrade(&credentials)) {
                        return Err(failure.error);
                    }
                    // The failure belongs to the previous credentials.
                    continue;
                }
            };
            // Another call may have finished its request after the token was loaded.
            let current = self.current.load();
            if current.token.as_ref().is_some_and(|token| !token.is_renewal_due(Instant::now())) {
                continue;
            }
            match request(&current.credentials, Purpose::First, &guard) {
                Ok(token) => return Ok(self.store_token(&current, token, guard)),
                Err(error) => {
                    let is_current =
                        Arc::ptr_eq(&current.credentials, &self.current.load().credentials);
                    // This call's own deadline, cancellation or memory does not concern the others.
                    let is_local = match error.status {
                        Status::Cancelled | Status::Internal => true,
                        Status::Timeout => context.deadline.remaining().is_none(),
                        _ => false,
                    };
                    if is_local {
                        return Err(error);
                    }
                    guard.fail(&current.credentials, &error);
                    // With the new credentials the request may succeed.
                    if is_current || context.deadline.remaining().is_none() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes the token the current one, unless the credentials were replaced in the meantime.
    fn store_token(
        &self,
        requested_with: &Arc<Authorization>,
        token: AccessToken,
        guard: RequestGuard<'_>,
    ) -> Arc<Authorization> {
        let credentials = requested_with.credentials.clone();
        let new = Arc::new(Authorization { credentials, token: Some(Arc::new(token)) });
        if !new.is_single_use() {
            loop {
                let current = self.current.load();
                if !Arc::ptr_eq(&current.credentials, &new.credentials)
                    || self.current.replace_if(&current, new.clone())
                {
                    break;
                }
            }
        }
        guard.succeed();
        new
    }
}

/// Which call requests the token.
enum Turn<'a> {
    /// This call.
    Mine(RequestGuard<'a>),
    /// Another call, whose request has finished; with its failure if it applies to all calls.
    OtherFinished(Option<Failure>),
}

/// Held while a token is requested. Dropping it, even in a panic, lets the next call request one.
pub struct RequestGuard<'a> {
    requests: &'a TokenRequests,
    /// The process whose request it is.
    generation: u64,
}

impl TokenRequests {
    fn lock(&self) -> MutexGuard<'_, RequestState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, state: &mut RequestState) -> RequestGuard<'_> {
        state.in_progress = true;
        state.thread = sys::thread_index();
        RequestGuard { requests: self, generation: generation() }
    }

    /// Begins a renewal, unless a request is in progress or a renewal failed recently.
    fn try_begin_renewal(&self, now: Instant) -> Option<RequestGuard<'_>> {
        let mut state = self.lock();
        let postponed = state.no_renewal_before.is_some_and(|time| now < time);
        if state.in_progress || postponed {
            return None;
        }
        Some(self.begin(&mut state))
    }

    /// Begins a request, or waits until the one in progress has finished.
    fn begin_or_wait(&self, context: &CallContext<'_>) -> Result<Turn<'_>, Error> {
        let mut state = self.lock();
        // A call in the interrupt callback of the request in progress cannot wait for that request.
        if !state.in_progress || state.thread == sys::thread_index() {
            return Ok(Turn::Mine(self.begin(&mut state)));
        }
        let (before, waited_before) = (state.count, state.waited());
        let check_cancelled = || match context.cancel.is_cancelled(false) {
            true => Err(Error::new(
                Status::Cancelled,
                "the call was cancelled while it waited for the token request of another call",
            )),
            false => Ok(()),
        };
        while state.count == before {
            check_cancelled()?;
            let Some(left) = context.deadline.remaining() else {
                return Err(Error::new(
                    Status::Timeout,
                    "the time ran out while the call waited for the token request of another \
                     call; see timeoutMs and tokenUrl in the configuration",
                ));
            };
            let woken = self.finished.wait_timeout(state, left.min(CANCEL_CHECK_INTERVAL));
            let (locked, wait) = woken.unwrap_or_else(PoisonError::into_inner);
            state = locked;
            if wait.timed_out() {
                drop(state);
                sys::run_interrupt();
                // Before the lock, which in a child that the callback forked may never be released.
                check_cancelled()?;
                state = self.lock();
            }
        }
        // This call was held by the other one's `Retry-After` values, too.
        let waited = state.waited().saturating_sub(waited_before);
        context.retry_after.set(context.retry_after.get() + waited);
        // A failure from before this wait may be out of date.
        Ok(Turn::OtherFinished(state.failure.clone().filter(|failure| failure.request > before)))
    }
}

impl RequestGuard<'_> {
    /// The state of the requests. None in a child that a log callback has forked during the request: the
    /// state is the parent's, and another thread may have held its lock.
    fn lock(&self) -> Option<MutexGuard<'_, RequestState>> {
        (self.generation == generation()).then(|| self.requests.lock())
    }

    /// Records that the request waits for a `Retry-After`, which also holds the calls that wait for
    /// the request.
    pub fn wait_for_retry_after(&self, time: Duration) {
        let Some(mut state) = self.lock() else { return };
        state.retry_after += time;
        state.retry_after_end = Some(Instant::now() + time);
    }

    /// Finishes with a failure that the waiting calls receive too.
    fn fail(self, credentials: &Arc<Credentials>, error: &Error) {
        let Some(mut state) = self.lock() else { return };
        state.failure = Some(Failure {
            request: state.count + 1,
            credentials: Arc::downgrade(credentials),
            error: error.clone(),
        });
    }

    /// Finishes with a token.
    fn succeed(self) {
        let Some(mut state) = self.lock() else { return };
        (state.failure, state.no_renewal_before) = (None, None);
    }

    /// Finishes a failed renewal. The next one is not tried before this time.
    fn postpone_renewal(self, until: Instant) {
        let Some(mut state) = self.lock() else { return };
        state.no_renewal_before = Some(until);
    }
}

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.lock() else { return };
        state.in_progress = false;
        // The wait may have been cancelled.
        (state.retry_after, state.retry_after_end) = (state.waited(), None);
        state.count += 1;
        drop(state);
        self.requests.finished.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::run_in_child;
    use crate::transport::{CancelToken, Deadline};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static CANCELLED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

    fn context() -> CallContext<'static> {
        CallContext {
            deadline: Deadline::after(Duration::from_secs(30)),
            cancel: CancelToken { client: &CANCELLED, call: None, completes_if_sent: false },
            retry_after: Box::leak(Box::default()),
        }
    }

    fn authenticator() -> Authenticator {
        Authenticator::new(Credentials::new(Kind::Client, "client", "secret").ok().unwrap())
    }

    /// A token with this lifetime and age in seconds.
    fn token(name: &str, lifetime: u64, age: u64) -> AccessToken {
        let body = format!(r#"{{"access_token":"{name}","expires_in":{lifetime}}}"#);
        AccessToken::parse(body.as_bytes(), Instant::now() - Duration::from_secs(age)).ok().unwrap()
    }

    fn header(authorized: Result<Arc<Authorization>, Error>) -> String {
        String::from_utf8(authorized.unwrap().header().to_vec()).unwrap()
    }

    #[test]
    fn failed_renewal_keeps_the_token_and_postpones_the_next_renewal() {
        let authenticator = authenticator();
        // Due after 90 s of 100.
        authenticator.authorize(&context(), |_, _, _| Ok(token("old", 100, 91))).unwrap();
        let mut renewals = 0;
        for _ in 0..10 {
            let authorized = authenticator.authorize(&context(), |_, purpose, _| {
                assert_eq!(purpose, Purpose::Renewal);
                renewals += 1;
                Err(Error::new(Status::Server, "no"))
            });
            assert_eq!(header(authorized), "Bearer old");
        }
        // The next one comes a quarter of 9 s later.
        assert_eq!(renewals, 1);
        // New credentials reset the delay.
        authenticator
            .set_credentials(Credentials::new(Kind::Client, "client", "new").ok().unwrap());
        let authorized = authenticator.authorize(&context(), |_, purpose, _| {
            assert_eq!(purpose, Purpose::First);
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn call_that_forks_during_its_token_request_does_not_wait_for_a_lock_in_the_child() {
        let authenticator = authenticator();
        let requests: &TokenRequests = &authenticator.requests;
        let credentials = authenticator.current.load().credentials.clone();
        let mut guards = [(); 4].map(|()| Some(requests.begin(&mut requests.lock())));
        // As another thread of the parent may hold it.
        let state = requests.lock();
        let has_finished = run_in_child(|| {
            let [failed, succeeded, postponed, dropped] = guards.each_mut().map(Option::take);
            failed.unwrap().fail(&credentials, &Error::new(Status::Server, "no"));
            succeeded.unwrap().succeed();
            postponed.unwrap().postpone_renewal(Instant::now());
            drop(dropped);
            true
        });
        drop(state);
        assert!(has_finished);
    }

    #[test]
    fn other_calls_use_the_old_token_during_a_renewal() {
        let authenticator = authenticator();
        authenticator.authorize(&context(), |_, _, _| Ok(token("old", 100, 95))).unwrap();
        let authorized = authenticator.authorize(&context(), |_, _, _| {
            let other =
                authenticator.authorize(&context(), |_, _, _| unreachable!("one at a time"));
            assert_eq!(header(other), "Bearer old");
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn expired_token_is_not_used() {
        let authenticator = authenticator();
        authenticator.authorize(&context(), |_, _, _| Ok(token("old", 100, 101))).unwrap();
        let authorized = authenticator.authorize(&context(), |_, purpose, _| {
            assert_eq!(purpose, Purpose::First);
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn token_of_replaced_credentials_is_not_stored() {
        let authenticator = authenticator();
        authenticator
            .authorize(&context(), |_, _, _| {
                let new = Credentials::new(Kind::Client, "client", "new").ok().unwrap();
                authenticator.set_credentials(new);
                Ok(token("old", 100, 0))
            })
            .unwrap();
        let mut secrets = Vec::new();
        let authorized = authenticator.authorize(&context(), |credentials, _, _| {
            secrets.push(credentials.secrets()[0].to_string());
            Ok(token("new", 100, 0))
        });
        assert_eq!((header(authorized).as_str(), secrets), ("Bearer new", vec!["new".to_owned()]));
    }

    #[test]
    fn waiting_calls_share_a_failure() {
        let authenticator = Arc::new(authenticator());
        let requests = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let (authenticator, requests) = (authenticator.clone(), requests.clone());
                std::thread::spawn(move || {
                    for _ in 0..5 {
                        let result = authenticator.authorize(&context(), |_, _, _| {
                            requests.fetch_add(1, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(50));
                            Err(Error::new(Status::Unauthorized, "no"))
                        });
                        assert_eq!(result.err().unwrap().status, Status::Unauthorized);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // Each request serves all calls that wait: 5 rounds, and some late calls in each. If waiting
        // calls made their own requests, there would be 80.
        let requests = requests.load(Ordering::SeqCst);
        assert!(requests <= 30, "{requests} requests for 80 calls");
    }

    #[test]
    fn failure_from_before_the_wait_is_not_shared() {
        let authenticator = authenticator();
        let failed =
            |_: &Credentials, _, _: &RequestGuard<'_>| Err(Error::new(Status::Connect, "no"));
        assert!(authenticator.authorize(&context(), failed).is_err());
        // Another call waits for a request that is dropped without a result.
        let guard = match authenticator.requests.begin_or_wait(&context()).unwrap() {
            Turn::Mine(guard) => guard,
            Turn::OtherFinished(_) => panic!("nothing is in progress"),
        };
        std::thread::scope(|scope| {
            let waiting = scope
                .spawn(|| authenticator.authorize(&context(), |_, _, _| Ok(token("t", 100, 0))));
            // If it does not wait yet, it makes its own request, with the same result.
            std::thread::sleep(Duration::from_millis(50));
            drop(guard);
            assert_eq!(header(waiting.join().unwrap()), "Bearer t");
        });
    }

    #[test]
    fn concurrent_calls_renew_a_token_once() {
        for _ in 0..200 {
            let authenticator = Arc::new(authenticator());
            authenticator.authorize(&context(), |_, _, _| Ok(token("old", 100, 95))).unwrap();
            let renewals = Arc::new(AtomicUsize::new(0));
            let together = Arc::new(std::sync::Barrier::new(8));
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (authenticator, renewals) = (authenticator.clone(), renewals.clone());
                    let together = together.clone();
                    std::thread::spawn(move || {
                        together.wait();
                        authenticator
                            .authorize(&context(), |_, _, _| {
                                renewals.fetch_add(1, Ordering::SeqCst);
                                Ok(token("new", 100, 0))
                            })
                            .unwrap();
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(renewals.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn replaced_credentials_are_released_after_a_failure() {
        let authenticator = authenticator();
        let failed =
            |_: &Credentials, _, _: &RequestGuard<'_>| Err(Error::new(Status::Unauthorized, "no"));
        assert!(authenticator.authorize(&context(), failed).is_err());
        let old = Arc::downgrade(&authenticator.current.load().credentials);
        authenticator.set_credentials(Credentials::new(Kind::Client, "c", "new").ok().unwrap());
        assert!(old.upgrade().is_none(), "the previous secret is kept in memory");
    }

    #[test]
    fn panic_in_a_request_does_not_block_the_next_call() {
        let authenticator = authenticator();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = authenticator.authorize(&context(), |_, _, _| panic!("in the request"));
        }));
        assert!(panicked.is_err());
        let authorized = authenticator.authorize(&context(), |_, _, _| Ok(token("t", 100, 0)));
        assert_eq!(header(authorized), "Bearer t");
    }

    #[test]
    fn rejected_token_is_discarded_and_a_newer_one_is_kept() {
        let authenticator = authenticator();
        let first = authenticator.authorize(&context(), |_, _, _| Ok(token("1", 100, 0))).unwrap();
        authenticator.reject(&first);
        let second = authenticator.authorize(&context(), |_, _, _| Ok(token("2", 100, 0)));
        assert_eq!(header(second), "Bearer 2");
        // A slow call reports the rejection of the old token.
        authenticator.reject(&first);
        let third = authenticator.authorize(&context(), |_, _, _| unreachable!("there is a token"));
        assert_eq!(header(third), "Bearer 2");
    }
}
