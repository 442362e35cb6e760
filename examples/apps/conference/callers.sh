# The demonstration's callers: four simulated phones are called, and the calls put through to the room.
call Ann 801
sleep 1
call Bob 800
sleep 1
call Cat 800
sleep 1
call Dan 800
