//! Authentication: the credentials of a client, and the access token that it gets for them.
//!
//! Not here: sending the token request and repeating it (`client`), which need the attempt rules.

mod authenticator;
mod credentials;
mod token;

pub use authenticator::{Authenticator, Authorization, Purpose};
pub use credentials::{Credentials, Kind};
pub use token::{AccessToken, TOKEN_REQUEST, token_error};
