mod locks;
mod requests;
mod server;
mod store;
mod watching;
