//! The macro that makes a component of a plugin.

/// Makes a component that exports exactly what is named, and `lifecycle` where something has a configuration.
///
/// ```
/// use hookway_plugin::{Endpoint, Error, Event, Filter, NoConfig, Outcome, Transform, Verdict};
///
/// struct OnlyOrders;
///
/// impl Filter for OnlyOrders {
///     type Config = NoConfig;
///     fn new(_: NoConfig) -> Result<Self, String> { Ok(Self) }
///     fn filter(&self, event: &Event, _to: &Endpoint) -> Result<Verdict, Error> {
///         let is_order = event.topic().starts_with("orders/");
///         Ok(if is_order { Verdict::Deliver } else { Verdict::drop("no order") })
///     }
/// }
///
/// struct BareData;
///
/// impl Transform for BareData {
///     type Config = NoConfig;
///     fn new(_: NoConfig) -> Result<Self, String> { Ok(Self) }
///     fn transform(&self, event: &Event, _to: &Endpoint) -> Result<Outcome, Error> {
///         Ok(Outcome::body(event.data()))
///     }
/// }
///
/// hookway_plugin::export!(filter: OnlyOrders, transform: BareData);
/// ```
///
/// The others are `filter: T`, `transform: T`, `matcher: T`, each alone, and `matcher: T` after any of them.
///
/// Use it once in a crate. Filter and transform are given the same configuration. For other targets than
/// WebAssembly it only checks that the types implement the traits, so unit tests run natively.
#[macro_export]
macro_rules! export {
    (filter: $filter:ty, transform: $transform:ty $(, matcher: $matcher:ty)? $(,)?) => {
        $crate::__export!([filter $filter, transform $transform] $([matcher $matcher])?);
    };
    (filter: $filter:ty $(, matcher: $matcher:ty)? $(,)?) => {
        $crate::__export!([filter $filter] $([matcher $matcher])?);
    };
    (transform: $transform:ty $(, matcher: $matcher:ty)? $(,)?) => {
        $crate::__export!([transform $transform] $([matcher $matcher])?);
    };
    (matcher: $matcher:ty $(,)?) => {
        $crate::__export!([] [matcher $matcher]);
    };
    ($($other:tt)*) => {
        ::core::compile_error!("export! takes `filter: T`, `transform: T` and `matcher: T`, each at most once, in this order");
    };
}

/// `[what has a configuration] [what has none]`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ([$($kind:ident $plugin:ty),*] $([matcher $matcher:ty])?) => {
        const _: () = {
            $($crate::__implements!($kind $plugin);)*
            $($crate::__implements!(matcher $matcher);)?
        };
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;
            $($crate::__export_one!($kind $plugin);)*
            $($crate::__export_one!(matcher $matcher);)?
            $crate::__export_lifecycle!($($kind $plugin),*);
        };
    };
}

/// A sentence of the compiler when a type does not implement its trait, on every target.
#[doc(hidden)]
#[macro_export]
macro_rules! __implements {
    (filter $plugin:ty) => {
        const _: fn(&$plugin, &$crate::Event, &$crate::Endpoint) -> Result<$crate::Verdict, $crate::Error> =
            <$plugin as $crate::Filter>::filter;
    };
    (transform $plugin:ty) => {
        const _: fn(&$plugin, &$crate::Event, &$crate::Endpoint) -> Result<$crate::Outcome, $crate::Error> =
            <$plugin as $crate::Transform>::transform;
    };
    (matcher $plugin:ty) => {
        const _: fn(&$plugin, &str) -> bool = <$plugin as $crate::TopicMatcher>::matches;
    };
}

/// One interface of the component. The state lives in the instance, which WebAssembly runs on one thread.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_one {
    (filter $plugin:ty) => {
        ::std::thread_local! {
            static FILTER: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
        }
        impl $crate::__wasm::filter::Guest for Component {
            fn filter(
                event: &$crate::__wasm::types::Event,
                to: &$crate::__wasm::types::Endpoint,
            ) -> Result<$crate::__wasm::filter::Verdict, $crate::__wasm::types::Error> {
                FILTER.with(|plugin| $crate::__wasm::run_filter(plugin.get(), event, to))
            }
        }
        $crate::__wasm::export_filter!(Component with_types_in $crate::__wasm::filter_world);
    };
    (transform $plugin:ty) => {
        ::std::thread_local! {
            static TRANSFORM: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
        }
        impl $crate::__wasm::transform::Guest for Component {
            fn transform(
                event: &$crate::__wasm::types::Event,
                to: &$crate::__wasm::types::Endpoint,
            ) -> Result<$crate::__wasm::transform::Outcome, $crate::__wasm::types::Error> {
                TRANSFORM.with(|plugin| $crate::__wasm::run_transform(plugin.get(), event, to))
            }
        }
        $crate::__wasm::export_transform!(Component with_types_in $crate::__wasm::transform_world);
    };
    (matcher $plugin:ty) => {
        struct Matcher($plugin);
        impl $crate::__wasm::topic_matcher::Guest for Component {
            type Matcher = Matcher;
        }
        impl $crate::__wasm::topic_matcher::GuestMatcher for Matcher {
            fn compile(
                patterns: ::std::vec::Vec<::std::string::String>,
            ) -> Result<$crate::__wasm::topic_matcher::Matcher, ::std::string::String> {
                let plugin = <$plugin as $crate::TopicMatcher>::compile(&patterns)?;
                Ok($crate::__wasm::topic_matcher::Matcher::new(Matcher(plugin)))
            }
            fn matches(&self, topic: ::std::string::String) -> bool {
                $crate::TopicMatcher::matches(&self.0, &topic)
            }
        }
        $crate::__wasm::export_matcher!(Component with_types_in $crate::__wasm::matcher_world);
    };
}

/// `lifecycle`, which builds the state of every interface that has one.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_lifecycle {
    () => {};
    ($($kind:ident $plugin:ty),+) => {
        impl $crate::__wasm::lifecycle::Guest for Component {
            fn init(config: ::std::string::String) -> Result<(), ::std::string::String> {
                $($crate::__init!($kind $plugin, config);)+
                Ok(())
            }
        }
        $crate::__wasm::export_lifecycle!(Component with_types_in $crate::__wasm::lifecycle_world);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __init {
    (filter $plugin:ty, $config:ident) => {
        FILTER.with(|cell| $crate::__wasm::init(cell, &$config, <$plugin as $crate::Filter>::new))?
    };
    (transform $plugin:ty, $config:ident) => {
        TRANSFORM.with(|cell| $crate::__wasm::init(cell, &$config, <$plugin as $crate::Transform>::new))?
    };
}
