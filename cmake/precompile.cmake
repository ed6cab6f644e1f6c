# Headers that take longer to parse than the code that includes them. Every source still includes
# what it uses: `./dev lint` compiles without this file.
set(asio_headers
  <boost/asio/awaitable.hpp>
  <boost/asio/co_spawn.hpp>
  <boost/asio/io_context.hpp>
  <boost/asio/ip/tcp.hpp>
  <boost/asio/steady_timer.hpp>
  <boost/asio/thread_pool.hpp>
  <boost/asio/use_awaitable.hpp>)

target_precompile_headers(registry_http PRIVATE ${asio_headers} <boost/beast/http.hpp>)
target_precompile_headers(registry PRIVATE ${asio_headers} <nlohmann/json.hpp>)
target_precompile_headers(unit_tests PRIVATE <catch2/catch.hpp> ${asio_headers})
target_precompile_headers(orchestrator_state PRIVATE <nlohmann/json.hpp>)
target_precompile_headers(orchestrator PRIVATE ${asio_headers} <nlohmann/json.hpp>)
target_precompile_headers(orchestrator_engine PRIVATE ${asio_headers} <nlohmann/json.hpp>)
target_precompile_headers(p2p PRIVATE ${asio_headers} <nlohmann/json.hpp>)
foreach(tests IN ITEMS orchestrator_tests p2p_tests)
  target_precompile_headers(${tests} PRIVATE <catch2/catch.hpp> <nlohmann/json.hpp>)
endforeach()
foreach(tests IN ITEMS engine_tests engine_check)
  target_precompile_headers(${tests} PRIVATE <catch2/catch.hpp> ${asio_headers})
endforeach()
