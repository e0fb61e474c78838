//! Types, codecs and client of the Consul HTTP API.
