//! The functions of templates, from outside.

mod answers;
mod arguments;
mod confinement;
mod data_functions;
mod fixtures;
mod handlebars;
mod helpers;
mod names;
mod properties;
mod sprig;
mod support;
