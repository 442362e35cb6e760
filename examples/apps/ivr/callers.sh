# The demonstration's callers: four simulated phones are called, and the calls put through to the menu.
call Ann 900
sleep 1
call Bob 900
sleep 1
call Cat 900
sleep 1
call Dan 900
