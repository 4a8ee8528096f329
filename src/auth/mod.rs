//! Authentication: the credentials of a client, and its access token.
//!
//! Sending and retrying the token request belongs in `client`, which has the retry rules.

mod authenticator;
mod credentials;
mod token;

pub use authenticator::{Authenticator, Authorization, Purpose, RequestGuard};
pub use credentials::{Credentials, Kind};
pub use token::{AccessToken, TOKEN_REQUEST, token_error};
