//! What the calls of a client authenticate with: one access token per process, requested by one
//! call at a time while the others wait or use the previous token.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::credentials::{Credentials, Kind};
use super::token::AccessToken;
use crate::error::{Error, Status};
use crate::sys::{ArcCell, PerProcess};
use crate::transport::Limits;

/// The longest wait that does not check whether the call was cancelled.
const TICK: Duration = Duration::from_millis(50);

/// What one attempt authenticates with. It stays the same during the attempt, whatever is set
/// meanwhile.
#[derive(Clone)]
pub struct Authorization {
    credentials: Arc<Credentials>,
    /// For client credentials; none before the first token.
    token: Option<Arc<AccessToken>>,
}

/// Why a token is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// There is no valid token: the call fails without a new one.
    First,
    /// The token will expire soon: the call can use it if there is no new one.
    Renewal,
}

/// The credentials of a client and its access token. Used by any number of threads at once.
///
/// A forked child inherits both. It never waits for a token request of its parent.
pub struct Authenticator {
    current: ArcCell<Authorization>,
    requests: PerProcess<Requests>,
}

/// The token requests of one process: at most one is in progress.
#[derive(Default)]
struct Requests {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    in_progress: bool,
    /// How many requests have ended.
    count: u64,
    /// The last failure that applies to every call.
    failure: Option<Failure>,
    /// No renewal is tried before this time, after one that failed.
    no_renewal_before: Option<Instant>,
}

#[derive(Clone)]
struct Failure {
    /// The number of the request.
    request: u64,
    /// What was rejected. Does not keep replaced credentials in memory.
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

    /// Whether another call must not use it: the token's lifetime is zero.
    pub fn is_for_one_call(&self) -> bool {
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
    /// An authenticator without a token.
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
        // What failed with the previous pair says nothing about the new one.
        let mut state = self.requests.lock();
        (state.failure, state.no_renewal_before) = (None, None);
    }

    /// Drops the token of this authorization, which the service rejected. A token that another call
    /// has requested since is kept.
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

    /// What an attempt authenticates with. If there is no valid token, one caller requests it with
    /// `request`, and the others wait.
    ///
    /// # Errors
    /// Why there is no token, or that the limits were reached while another call requested it.
    pub fn authorize(
        &self,
        limits: &Limits<'_>,
        mut request: impl FnMut(&Credentials, Purpose) -> Result<AccessToken, Error>,
    ) -> Result<Arc<Authorization>, Error> {
        loop {
            let current = self.current.load();
            if current.kind() == Kind::User {
                return Ok(current);
            }
            let now = Instant::now();
            let valid = current.token.as_ref().filter(|token| token.left(now).is_some());
            match valid {
                Some(token) if !token.is_due(now) => return Ok(current),
                Some(token) => {
                    let Some(turn) = self.requests.begin_renewal(now) else { return Ok(current) };
                    // Another call may have renewed it since it was looked at.
                    if !Arc::ptr_eq(&current, &self.current.load()) {
                        continue;
                    }
                    return Ok(match request(&current.credentials, Purpose::Renewal) {
                        Ok(new) => self.install(&current, new, turn),
                        Err(error) => {
                            if error.status != Status::Cancelled {
                                let now = Instant::now();
                                let left = token.left(now).unwrap_or_default();
                                turn.postpone_renewal(now + left / 4);
                            }
                            current
                        }
                    });
                }
                None => {}
            }
            let turn = match self.requests.begin_or_wait(limits)? {
                Turn::Begin(turn) => turn,
                Turn::Ended(None) => continue,
                Turn::Ended(Some(failure)) => {
                    let credentials = self.current.load().credentials.clone();
                    if Weak::ptr_eq(&failure.credentials, &Arc::downgrade(&credentials)) {
                        return Err(failure.error);
                    }
                    // It is about the previous credentials.
                    continue;
                }
            };
            // Another call may have ended its request since the token was looked at.
            let current = self.current.load();
            if current.token.as_ref().is_some_and(|token| !token.is_due(Instant::now())) {
                continue;
            }
            match request(&current.credentials, Purpose::First) {
                Ok(token) => return Ok(self.install(&current, token, turn)),
                Err(error) => {
                    let is_current =
                        Arc::ptr_eq(&current.credentials, &self.current.load().credentials);
                    // The end of this call's own time is no failure of the others.
                    let is_own = match error.status {
                        Status::Cancelled | Status::Internal => true,
                        Status::Timeout => limits.left().is_none(),
                        _ => false,
                    };
                    if is_own {
                        return Err(error);
                    }
                    turn.fail(&current.credentials, &error);
                    // With the new credentials the request may succeed.
                    if is_current || limits.left().is_none() {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes the token the current one, unless the credentials were replaced meanwhile.
    fn install(
        &self,
        requested_with: &Arc<Authorization>,
        token: AccessToken,
        turn: OwnTurn<'_>,
    ) -> Arc<Authorization> {
        let credentials = requested_with.credentials.clone();
        let new = Arc::new(Authorization { credentials, token: Some(Arc::new(token)) });
        if !new.is_for_one_call() {
            loop {
                let current = self.current.load();
                if !Arc::ptr_eq(&current.credentials, &new.credentials)
                    || self.current.replace_if(&current, new.clone())
                {
                    break;
                }
            }
        }
        turn.succeed();
        new
    }
}

/// Whose turn it is to request a token.
enum Turn<'a> {
    /// The caller's.
    Begin(OwnTurn<'a>),
    /// Another call's, whose request has ended; with the failure, if it applies to every call.
    Ended(Option<Failure>),
}

/// The right to request a token. Passed on when it is dropped, also in a panic.
struct OwnTurn<'a> {
    requests: &'a Requests,
}

impl Requests {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, state: &mut State) -> OwnTurn<'_> {
        state.in_progress = true;
        OwnTurn { requests: self }
    }

    /// The turn, if no request is in progress and none failed a moment ago.
    fn begin_renewal(&self, now: Instant) -> Option<OwnTurn<'_>> {
        let mut state = self.lock();
        let postponed = state.no_renewal_before.is_some_and(|time| now < time);
        if state.in_progress || postponed {
            return None;
        }
        Some(self.begin(&mut state))
    }

    /// The turn, or the end of the request that is in progress.
    fn begin_or_wait(&self, limits: &Limits<'_>) -> Result<Turn<'_>, Error> {
        let mut state = self.lock();
        if !state.in_progress {
            return Ok(Turn::Begin(self.begin(&mut state)));
        }
        let before = state.count;
        while state.count == before {
            if limits.is_over(false) {
                return Err(Error::new(
                    Status::Cancelled,
                    "the call was cancelled while it waited for the token request of another call",
                ));
            }
            let Some(left) = limits.left() else {
                return Err(Error::new(
                    Status::Timeout,
                    "the time ran out while the call waited for the token request of another \
                     call; see timeoutMs and tokenUrl in the configuration",
                ));
            };
            let woken = self.ended.wait_timeout(state, left.min(TICK));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Of a request that ended before this call began to wait, the failure may be out of date.
        Ok(Turn::Ended(state.failure.clone().filter(|failure| failure.request > before)))
    }
}

impl OwnTurn<'_> {
    /// Ends the turn with a failure that the waiting calls get too.
    fn fail(self, credentials: &Arc<Credentials>, error: &Error) {
        let mut state = self.requests.lock();
        state.failure = Some(Failure {
            request: state.count + 1,
            credentials: Arc::downgrade(credentials),
            error: error.clone(),
        });
    }

    /// Ends the turn with a token.
    fn succeed(self) {
        let mut state = self.requests.lock();
        (state.failure, state.no_renewal_before) = (None, None);
    }

    /// Ends the turn; no renewal is tried before this time.
    fn postpone_renewal(self, until: Instant) {
        self.requests.lock().no_renewal_before = Some(until);
    }
}

impl Drop for OwnTurn<'_> {
    fn drop(&mut self) {
        let mut state = self.requests.lock();
        state.in_progress = false;
        state.count += 1;
        drop(state);
        self.requests.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    static CANCELLED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

    fn limits() -> Limits<'static> {
        Limits {
            deadline: Instant::now() + Duration::from_secs(30),
            cancelled: &CANCELLED,
            abandoned: None,
            must_know: false,
        }
    }

    fn authenticator() -> Authenticator {
        Authenticator::new(Credentials::new(Kind::Client, "client", "secret").ok().unwrap())
    }

    /// A token of this lifetime, requested so many seconds ago.
    fn token(name: &str, lifetime: u64, age: u64) -> AccessToken {
        let body = format!(r#"{{"access_token":"{name}","expires_in":{lifetime}}}"#);
        AccessToken::parse(body.as_bytes(), Instant::now() - Duration::from_secs(age)).ok().unwrap()
    }

    fn header(authorized: Result<Arc<Authorization>, Error>) -> String {
        String::from_utf8(authorized.unwrap().header().to_vec()).unwrap()
    }

    #[test]
    fn a_failed_renewal_leaves_the_token_in_use_and_postpones_the_next() {
        let authenticator = authenticator();
        // Due after 90 s of 100.
        authenticator.authorize(&limits(), |_, _| Ok(token("old", 100, 91))).unwrap();
        let mut renewals = 0;
        for _ in 0..10 {
            let authorized = authenticator.authorize(&limits(), |_, purpose| {
                assert_eq!(purpose, Purpose::Renewal);
                renewals += 1;
                Err(Error::new(Status::Server, "no"))
            });
            assert_eq!(header(authorized), "Bearer old");
        }
        // The next one comes a quarter of 9 s later.
        assert_eq!(renewals, 1);
        // With other credentials there is nothing to wait for.
        authenticator
            .set_credentials(Credentials::new(Kind::Client, "client", "new").ok().unwrap());
        let authorized = authenticator.authorize(&limits(), |_, purpose| {
            assert_eq!(purpose, Purpose::First);
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn other_calls_use_the_old_token_during_a_renewal() {
        let authenticator = authenticator();
        authenticator.authorize(&limits(), |_, _| Ok(token("old", 100, 95))).unwrap();
        let authorized = authenticator.authorize(&limits(), |_, _| {
            let other = authenticator.authorize(&limits(), |_, _| unreachable!("one at a time"));
            assert_eq!(header(other), "Bearer old");
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn an_expired_token_is_not_used() {
        let authenticator = authenticator();
        authenticator.authorize(&limits(), |_, _| Ok(token("old", 100, 101))).unwrap();
        let authorized = authenticator.authorize(&limits(), |_, purpose| {
            assert_eq!(purpose, Purpose::First);
            Ok(token("new", 100, 0))
        });
        assert_eq!(header(authorized), "Bearer new");
    }

    #[test]
    fn a_token_of_replaced_credentials_is_not_kept() {
        let authenticator = authenticator();
        authenticator
            .authorize(&limits(), |_, _| {
                let new = Credentials::new(Kind::Client, "client", "new").ok().unwrap();
                authenticator.set_credentials(new);
                Ok(token("old", 100, 0))
            })
            .unwrap();
        let mut secrets = Vec::new();
        let authorized = authenticator.authorize(&limits(), |credentials, _| {
            secrets.push(credentials.secrets()[0].to_string());
            Ok(token("new", 100, 0))
        });
        assert_eq!((header(authorized).as_str(), secrets), ("Bearer new", vec!["new".to_owned()]));
    }

    #[test]
    fn waiting_calls_share_a_failure_and_no_newcomer_erases_it() {
        let authenticator = Arc::new(authenticator());
        let requests = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let (authenticator, requests) = (authenticator.clone(), requests.clone());
                std::thread::spawn(move || {
                    for _ in 0..5 {
                        let result = authenticator.authorize(&limits(), |_, _| {
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
        // Each request serves all that wait when it begins: 5 rounds and the stragglers of each. If
        // waiting calls made their own, there were 80.
        let requests = requests.load(Ordering::SeqCst);
        assert!(requests <= 30, "{requests} requests for 80 calls");
    }

    #[test]
    fn a_failure_from_before_the_wait_is_not_shared() {
        let authenticator = authenticator();
        let failed = |_: &Credentials, _| Err(Error::new(Status::Connect, "no"));
        assert!(authenticator.authorize(&limits(), failed).is_err());
        // The request that another call waits for ends for its own reason.
        let turn = match authenticator.requests.begin_or_wait(&limits()).unwrap() {
            Turn::Begin(turn) => turn,
            Turn::Ended(_) => panic!("nothing is in progress"),
        };
        std::thread::scope(|scope| {
            let waiting =
                scope.spawn(|| authenticator.authorize(&limits(), |_, _| Ok(token("t", 100, 0))));
            // It may not wait yet; then it begins a request of its own, with the same result.
            std::thread::sleep(Duration::from_millis(50));
            drop(turn);
            assert_eq!(header(waiting.join().unwrap()), "Bearer t");
        });
    }

    #[test]
    fn a_token_is_renewed_once_however_many_calls_see_it_due() {
        for _ in 0..200 {
            let authenticator = Arc::new(authenticator());
            authenticator.authorize(&limits(), |_, _| Ok(token("old", 100, 95))).unwrap();
            let renewals = Arc::new(AtomicUsize::new(0));
            let together = Arc::new(std::sync::Barrier::new(8));
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (authenticator, renewals) = (authenticator.clone(), renewals.clone());
                    let together = together.clone();
                    std::thread::spawn(move || {
                        together.wait();
                        authenticator
                            .authorize(&limits(), |_, _| {
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
        let failed = |_: &Credentials, _| Err(Error::new(Status::Unauthorized, "no"));
        assert!(authenticator.authorize(&limits(), failed).is_err());
        let old = Arc::downgrade(&authenticator.current.load().credentials);
        authenticator.set_credentials(Credentials::new(Kind::Client, "c", "new").ok().unwrap());
        assert!(old.upgrade().is_none(), "the previous secret is kept in memory");
    }

    #[test]
    fn a_request_that_panics_does_not_block_the_next() {
        let authenticator = authenticator();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = authenticator.authorize(&limits(), |_, _| panic!("in the request"));
        }));
        assert!(panicked.is_err());
        let authorized = authenticator.authorize(&limits(), |_, _| Ok(token("t", 100, 0)));
        assert_eq!(header(authorized), "Bearer t");
    }

    #[test]
    fn a_rejected_token_is_dropped_unless_another_replaced_it() {
        let authenticator = authenticator();
        let first = authenticator.authorize(&limits(), |_, _| Ok(token("1", 100, 0))).unwrap();
        authenticator.reject(&first);
        let second = authenticator.authorize(&limits(), |_, _| Ok(token("2", 100, 0)));
        assert_eq!(header(second), "Bearer 2");
        // By a call that was slow to see its 401.
        authenticator.reject(&first);
        let third = authenticator.authorize(&limits(), |_, _| unreachable!("there is a token"));
        assert_eq!(header(third), "Bearer 2");
    }
}
